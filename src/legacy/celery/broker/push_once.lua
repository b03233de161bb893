-- Publishes a message unless it was published before. In:
--   KEYS  where that is remembered, the list
--   ARGV  the message's text, for how many seconds to remember
-- Out: 1, or 0 when it was published before.
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[2]) then
    return 0
end
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
