-- A load that ends after a known number of answers: each thread has one connection and rests, with
-- no request under way, once it has had its share. Arguments: answers a thread, milliseconds
-- between two requests, and N for every Nth request to go to /bad (0 for none).
local left, pause, bad, sent

function init(arguments)
    left, pause, bad = tonumber(arguments[1]), tonumber(arguments[2]), tonumber(arguments[3])
    sent = 0
end

function delay()
    return pause
end

function request()
    sent = sent + 1
    return wrk.format("GET", (bad > 0 and sent % bad == 0) and "/bad" or "/")
end

function response()
    left = left - 1
    if left == 0 then
        io.write("rests\n")
        io.flush()
        wrk.thread:stop()
    end
end

function done(summary)
    io.write(string.format("answers %d bad %d\n", summary.requests, summary.errors.status))
end
