-- Hands messages on, in order, as far as they are still held. In:
--   KEYS  unacked, unacked_index, unreadable, held, then the list to push each message on
--   ARGV  for each message its receipt and its text
-- Out: for each message 1, or 0 when somebody has put it back.
local unacked, unacked_index, unreadable, held = unpack(KEYS, 1, 4)
local done = {}
for at = 5, #KEYS do
    local receipt, text = ARGV[2 * (at - 4) - 1], ARGV[2 * (at - 4)]
    local parked = redis.call('HEXISTS', unacked, receipt) + redis.call('HEXISTS', unreadable, receipt)
    if parked > 0 then
        redis.call('LPUSH', KEYS[at], text)
        redis.call('HDEL', unacked, receipt)
        redis.call('HDEL', unreadable, receipt)
        redis.call('ZREM', unacked_index, receipt)
    end
    redis.call('ZREM', held, receipt)
    table.insert(done, parked)
end
return done
