-- The ledger of one workspace: names, what they stand for, and when they end. No more of them than there is room for.
--
-- KEYS: 1 a sorted set of the names by the millisecond in which they end; 2 a hash of what they stand for
-- ARGV: 1 now in milliseconds, or -1 for this server's clock
--       2 the operation, and what it takes:
--         look   names                                    returns the place of the first that lives, and its value;
--                                                         it lives for its ttl again
--         find   names                                    as look, and renews nothing
--         write  most, age, then name, tokens, ttl each   entries, which began to live `age` milliseconds ago
--         keep   most, name, value, ttl
--         kept   name                                     returns its value
-- A ttl is in seconds. The value of an entry is its tokens and its ttl, with a space between.
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local op = ARGV[2]

local function living(name)
  local stop = tonumber(redis.call('ZSCORE', KEYS[1], name) or nil)
  if stop and stop > now then
    local value = redis.call('HGET', KEYS[2], name)
    if value then return value, stop end
  end
end

local function put(name, value, stop)
  redis.call('ZADD', KEYS[1], string.format('%.0f', stop), name)
  redis.call('HSET', KEYS[2], name, value)
  -- Both keys go when the last of their names has ended.
  local life = stop - now
  for _, key in ipairs(KEYS) do
    if redis.call('PTTL', key) < life then redis.call('PEXPIRE', key, string.format('%.0f', life)) end
  end
end

local function drop(names)
  if #names > 0 then
    redis.call('ZREM', KEYS[1], unpack(names))
    redis.call('HDEL', KEYS[2], unpack(names))
  end
end

-- What has ended goes, some at a time; then what ends first.
local function make_room(most)
  drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, 100))
  local over = redis.call('ZCARD', KEYS[1]) - most
  if over > 0 then drop(redis.call('ZRANGE', KEYS[1], 0, math.min(over, 100) - 1)) end
end

-- Redis may have thrown away one of the two where it was short of memory: what is left of the other is of no use.
local function mend()
  if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('DEL', KEYS[2]) end
end

if op == 'look' or op == 'find' then
  for place = 3, #ARGV do
    local value, stop = living(ARGV[place])
    if value then
      local ttl = tonumber(string.match(value, ' (%d+)$'))
      if op == 'look' and stop < now + ttl * 1000 then put(ARGV[place], value, now + ttl * 1000) end
      return {place - 3, value}
    end
  end
  return false
end

if op == 'write' then
  mend()
  local since = now - tonumber(ARGV[4])
  for place = 5, #ARGV, 3 do
    local name, tokens, ttl = ARGV[place], ARGV[place + 1], tonumber(ARGV[place + 2])
    local value, stop = living(name)
    local known = value and tonumber(string.match(value, ' (%d+)$')) or 0
    if known > ttl then
      tokens, ttl = string.match(value, '^(%d+)'), known
    elseif known < ttl then
      -- The longer lifetime counts from `since`, though the shorter one were to end later.
      drop({name})
      stop = nil
    end
    local this = since + ttl * 1000
    if this > now and (not stop or stop < this) then put(name, tokens .. ' ' .. string.format('%.0f', ttl), this) end
  end
  make_room(tonumber(ARGV[3]))
elseif op == 'keep' then
  mend()
  put(ARGV[4], ARGV[5], now + tonumber(ARGV[6]) * 1000)
  make_room(tonumber(ARGV[3]))
elseif op == 'kept' then
  return (living(ARGV[3])) or false
end
return false
