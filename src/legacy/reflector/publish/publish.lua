-- Publishes a message once, for whoever owns the recording. In:
--   KEYS  the recording's epoch, where it is remembered that the message was published
--   ARGV  the sender's epoch, for how many seconds epochs are kept, for how many seconds it is
--         remembered that a message was published, the channel, the message
-- Out: 1 when it is published, 0 when it was before, -1 when a higher epoch owns the recording.
local epoch = tonumber(ARGV[1])
local owner = tonumber(redis.call('GET', KEYS[1]) or '')
if owner and owner > epoch then
    return -1
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if not redis.call('SET', KEYS[2], '1', 'NX', 'EX', ARGV[3]) then
    return 0
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
