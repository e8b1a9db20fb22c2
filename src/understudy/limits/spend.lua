-- Money that was spent and is being spent, by counter, in one atomic step. Amounts are whole nano-dollars: they go to
-- and from Redis as text, and are compared as numbers, exactly below nine million dollars and closely above.
--
-- KEYS: the sorted set of what is held, by when that is given up for lost; then the counters (hashes: spent, held).
-- ARGV: 1 "begin": 2 the hold's member, 3 the estimate, 4 how long it is held (ms), 5 "1" to begin in any case,
--                  6 the counters' life (ms), then for each counter its bound, or nothing
--       1 "settle": 2 the member, 3 the estimate, 4 what it cost
--       1 "seed": 2 the counters' life (ms), then for each counter what was spent
--       1 "spent"
-- Returns for "begin" 1, 0 (a bound is reached) or -1 (a counter is not known), then what each counter had.
local op = ARGV[1]

-- Redis takes no -0.
local function less(amount)
  if amount == '0' then return '0' end
  return '-' .. amount
end

if op == 'spent' then
  local found = {}
  for i = 2, #KEYS do found[#found + 1] = redis.call('HGET', KEYS[i], 'spent') or '0' end
  return found
end

if op == 'seed' then
  for i = 2, #KEYS do
    local known, given = redis.call('HGET', KEYS[i], 'spent'), ARGV[i + 1]
    if not known or tonumber(known) < tonumber(given) then redis.call('HSET', KEYS[i], 'spent', given) end
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
  end
  return {}
end

if op == 'settle' then
  local was_held = redis.call('ZREM', KEYS[1], ARGV[2]) == 1
  for i = 2, #KEYS do
    -- One that is gone is seeded from the database, where this request will stand too.
    if redis.call('HEXISTS', KEYS[i], 'spent') == 1 then
      redis.call('HINCRBY', KEYS[i], 'spent', ARGV[4])
      if was_held then redis.call('HINCRBY', KEYS[i], 'held', less(ARGV[3])) end
    end
  end
  return {}
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Requests whose server has died: a member is its id, its estimate and its counters.
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)) do
  redis.call('ZREM', KEYS[1], member)
  local place = 0
  local estimate
  for part in string.gmatch(member, '[^|]+') do
    place = place + 1
    if place == 2 then
      estimate = part
    elseif place > 2 and redis.call('HEXISTS', part, 'held') == 1 then
      redis.call('HINCRBY', part, 'held', less(estimate))
    end
  end
end

local levels, admitted = {}, 1
for i = 2, #KEYS do
  local found = redis.call('HMGET', KEYS[i], 'spent', 'held')
  if not found[1] then return {-1} end
  local level = tonumber(found[1]) + tonumber(found[2] or '0')
  local bound = ARGV[5 + i]
  if bound ~= '' and level >= tonumber(bound) then admitted = 0 end
  levels[#levels + 1] = string.format('%.0f', level)
end
if admitted == 1 or ARGV[5] == '1' then
  for i = 2, #KEYS do
    redis.call('HINCRBY', KEYS[i], 'held', ARGV[3])
    redis.call('PEXPIRE', KEYS[i], ARGV[6])
  end
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[4])), ARGV[2])
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', tonumber(ARGV[4]) * 2))
end
return {admitted, unpack(levels)}
