-- Ends a message: nobody will run it. In:
--   KEYS  unacked, unacked_index, unreadable, held
--   ARGV  its receipt
-- Out: 1, or 0 when somebody has put it back.
local unacked, unacked_index, unreadable, held = unpack(KEYS, 1, 4)
local receipt = ARGV[1]
local parked = redis.call('HDEL', unacked, receipt) + redis.call('HDEL', unreadable, receipt)
redis.call('ZREM', unacked_index, receipt)
redis.call('ZREM', held, receipt)
return parked
