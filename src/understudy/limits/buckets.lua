-- Several token buckets in one atomic step. The same arithmetic as bucket.py, in whole numbers below 2^53.
--
-- KEYS: the buckets, then the key that remembers when this Redis lost what it held.
-- ARGV: 1 now in milliseconds, or -1 for this server's clock
--       2 "take", "force" (take in any case), "late" (the same, but not from what begins empty) or "peek"
--       3 "1" when the caller has had an answer for these keys before
--       then for each bucket: limit, tick, full, floor, cost, need (parts), and 1 when it forgets within a minute
-- Returns whether all had enough, the longest wait (-1: for ever), the levels, and the places of those that had not.
local now = tonumber(ARGV[1])
if now < 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local op = ARGV[2]
local count = #KEYS - 1
local stored = redis.call('MGET', unpack(KEYS))

-- A caller that knows these keys from before finds nothing: what was taken is forgotten. Buckets then begin empty, so
-- that a restart lets through no second helping.
local lost = tonumber(stored[count + 1] or nil)
if not lost then
  lost = ARGV[3] == '1' and now or 0
  redis.call('SET', KEYS[count + 1], string.format('%.0f', lost))
end

local levels, times, empty, back, refused, wait = {}, {}, {}, {}, {}, 0
for i = 1, count do
  local base = 3 + (i - 1) * 7
  local limit, tick, full = tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2]), tonumber(ARGV[base + 3])
  local need = tonumber(ARGV[base + 6])
  local level, at = full, now
  if stored[i] then
    level, at = struct.unpack('<dd', stored[i])
  elseif lost > 0 and ARGV[base + 7] == '1' then
    level, at, empty[i] = 0, lost, now - lost < 60000
  end
  if now <= at then
    if level > full then level = full end
    -- Kept also when nothing is taken: else it would wait for the time that was before.
    back[i] = now < at
    at = now
  else
    local ticks = math.floor((now - at) / tick)
    level = level + ticks * limit
    if level >= full then
      level, at = full, now
    else
      at = at + ticks * tick
    end
  end
  if op ~= 'peek' then
    if level < need then
      refused[#refused + 1] = i - 1
      if need > full then
        wait = -1
      elseif wait >= 0 then
        local this = at + math.ceil((need - level) / limit) * tick - now
        if this > wait then wait = this end
      end
    end
  end
  levels[i], times[i] = level, at
end

local charge = op == 'force' or op == 'late' or (op == 'take' and #refused == 0)
for i = 1, count do
  local base = 3 + (i - 1) * 7
  local cost = tonumber(ARGV[base + 5])
  if not charge or (op == 'late' and empty[i]) then cost = 0 end
  if cost ~= 0 or (back[i] and op ~= 'peek') then
    local limit, tick = tonumber(ARGV[base + 1]), tonumber(ARGV[base + 2])
    local full, floor = tonumber(ARGV[base + 3]), tonumber(ARGV[base + 4])
    local level = levels[i]
    if cost ~= 0 then
      level = level - cost
      if level > full then level = full elseif level < floor then level = floor end
      levels[i] = level
    end
    -- A full bucket is as good as none, except where those begin empty.
    local life = 120000
    if limit > 0 then life = math.ceil((full - level) / limit) * tick + 120000 end
    redis.call('SET', KEYS[i], struct.pack('<dd', level, times[i]), 'PX', string.format('%.0f', life))
  end
end
return {#refused == 0 and 1 or 0, wait, levels, refused}
