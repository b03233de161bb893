-- Lets nobody of an earlier epoch publish for the recording. In:
--   KEYS  the recording's epoch
--   ARGV  the epoch, for how many seconds it is kept
-- Out: 1, or 0 when a higher epoch owns the recording already.
local epoch = tonumber(ARGV[1])
local owner = tonumber(redis.call('GET', KEYS[1]) or '')
if owner and owner > epoch then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
