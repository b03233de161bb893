-- Settles who has a task: it is handed on, or withheld and nobody runs it. The first settlement of a
-- task's id holds for all later messages of it, and that of a transcript for all its later tasks, until
-- one wants it anew. In:
--   KEYS  unacked, unacked_index, unreadable, held, the task's two marks (withheld, forwarded), its
--         transcript's mark, the list to push on
--   ARGV  its receipt, `withhold` or `forward`, for how many seconds marks are kept, what it wants of the
--         transcript (`once`, `anew`, or `nothing` that is known), whether anything may be handed on
--         (`1` or `0`), the text to push
-- Out: `withheld`, `forwarded`, or `not held` when somebody has put the message back.
local unacked, unacked_index, unreadable, held, withheld, forwarded, settled, list = unpack(KEYS)
local receipt, wish, keep, wanted, may_forward, text = unpack(ARGV)

if redis.call('HEXISTS', unacked, receipt) + redis.call('HEXISTS', unreadable, receipt) == 0 then
    redis.call('ZREM', held, receipt)
    return 'not held'
end
if may_forward == '0' or redis.call('EXISTS', withheld) == 1 then
    wish = 'withhold'
elseif redis.call('EXISTS', forwarded) == 1 then
    wish = 'forward'
elseif wanted == 'once' then
    wish = redis.call('GET', settled) or wish
end
-- What must not be missing comes first: Redis may refuse a first write when its memory is full, and
-- never one that follows.
if wish == 'forward' then
    redis.call('LPUSH', list, text)
    redis.call('SET', forwarded, '1', 'EX', keep)
else
    redis.call('SET', withheld, '1', 'EX', keep)
end
if wanted ~= 'nothing' then
    redis.call('SET', settled, wish, 'EX', keep)
end
redis.call('HDEL', unacked, receipt)
redis.call('HDEL', unreadable, receipt)
redis.call('ZREM', unacked_index, receipt)
redis.call('ZREM', held, receipt)
return wish == 'forward' and 'forwarded' or 'withheld'
