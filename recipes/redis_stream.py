"""A nearline consumer: events of a Redis stream, filled in by a model file, become features with flags and provenance.

    python recipes/redis_stream.py MODEL [--url redis://127.0.0.1:6379/0] [--stream events] [--deliveries 5] [--once]

An event has `key` (whose features it is), `at` (its time, milliseconds since 1970) and `row` (JSON). The hash
`STREAM:feature:KEY` gets `row`, `imputed` (columns that were filled in), `model`, `digest`, `event` and `at`.
Delivery is at least once: features, acknowledgement and counts are one transaction, and an event that comes again, or
late, after a younger one of its key, changes nothing. What cannot be filled in goes to `STREAM:dead` with its reason.
What a dead consumer has left is delivered again, one event at a time, so that an event that kills its process takes no
other along; after `--deliveries` of them it is a dead letter, too. `STREAM:metrics` has counts, `watermark` (the time
of the youngest event that is done) and `lag_ms` (of the oldest event of the last batch, until its feature was written).
A missing model stops it (exit code 1), and no event is acknowledged.
"""

import argparse
import json
import os
import sys
import time
from zlib import crc32

import redis

from imputedb import load_model
from imputedb.errors import Error
from imputedb.serverless import answer

BATCH, BLOCK_MS, IDLE_MS = 500, 1000, 5000


def batches(queue, stream, me, *, once):
    """Events, with how often they were delivered before: one by one what a dead consumer has left, then what is new."""
    idle = 0 if once else IDLE_MS
    while True:
        for one in queue.xpending_range(stream, "imputedb", "-", "+", count=1, idle=idle):
            events = queue.xclaim(stream, "imputedb", me, idle, [one["message_id"]])
            if events:
                yield events, one["times_delivered"]
            break
        else:
            new = queue.xreadgroup("imputedb", me, {stream: ">"}, count=BATCH, block=None if once else BLOCK_MS)
            events = [one for _, some in new for one in some]
            if events:
                yield events, 0
            elif once:
                return


def read(event, fields):
    """An event's key, time and row."""
    row = json.loads(fields[b"row"])
    if not isinstance(row, dict):
        raise ValueError("the row is no object")
    return fields[b"key"].decode(), int(fields[b"at"]), row, crc32(event)


def filled(model, events):
    """Answers to events, together, or one by one where one of them cannot be answered."""
    good, dead = [], []
    for event, fields in events:
        try:
            good.append((event, fields, read(event, fields)))
        except (KeyError, ValueError) as error:
            dead.append((event, fields, repr(error)))

    def ask(some):
        told = answer(
            model, {"rows": [row for _, _, (_, _, row, _) in some], "keys": [key for *_, (_, _, _, key) in some]}
        )
        return [(*one, row, names, told) for one, row, names in zip(some, told["rows"], told["imputed"], strict=True)]

    try:
        return (ask(good) if good else []), dead
    except Error:
        done = []
        for one in good:
            try:
                done += ask([one])
            except Error as error:
                dead.append((one[0], one[1], str(error)))
        return done, dead


def moment(at, event):
    """What orders events of a key: their times, then their places in the stream."""
    return (int(at), *map(int, event.split(b"-")))


def write(queue, stream, done, dead, before):
    """Features, dead letters, acknowledgements and metrics, all of them or none."""
    keys, metrics = sorted({one[2][0] for one in done}), f"{stream}:metrics"
    events = [one[0] for one in (*done, *dead)]

    def all_of(batch):
        last = {key: batch.hmget(f"{stream}:feature:{key}", "at", "event") for key in keys}
        seen = int(batch.hget(metrics, "watermark") or 0)
        batch.multi()
        for event, _, (key, at, *_), row, imputed, told in done:
            batch.hincrby(metrics, "imputed_cells", len(imputed))
            if last[key][0] is None or moment(at, event) > moment(*last[key]):
                last[key] = at, event
                known = {"row": json.dumps(row, default=str), "imputed": json.dumps(imputed), "event": event, "at": at}
                batch.hset(
                    f"{stream}:feature:{key}", mapping={**known, "model": told["model"], "digest": told["digest"]}
                )
        for event, fields, reason in dead:
            letter = {**fields, "event": event, "reason": reason, "deliveries": before + 1}
            batch.xadd(f"{stream}:dead", letter)
        batch.xack(stream, "imputedb", *events)
        batch.hincrby(metrics, "events", len(events))
        batch.hincrby(metrics, "dead", len(dead))
        batch.hincrby(metrics, "redelivered", len(events) if before else 0)
        if done:
            times = [one[2][1] for one in done]
            lag = int(time.time() * 1000) - min(times)
            batch.hset(metrics, mapping={"watermark": max(seen, *times), "lag_ms": lag})

    queue.transaction(all_of, metrics, *(f"{stream}:feature:{key}" for key in keys))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--url", default="redis://127.0.0.1:6379/0")
    parser.add_argument("--stream", default="events")
    parser.add_argument("--deliveries", type=int, default=5, help="Of an event that is never done, until it is dead.")
    parser.add_argument("--once", action="store_true", help="End when nothing is left.")
    asked = parser.parse_args()
    try:
        model = load_model(asked.model)
    except Error as error:
        sys.exit(f"error: {error}")
    queue = redis.Redis.from_url(asked.url)
    try:
        queue.xgroup_create(asked.stream, "imputedb", id="0", mkstream=True)
    except redis.ResponseError as error:
        if "BUSYGROUP" not in str(error):
            raise
    me = f"{os.uname().nodename}-{os.getpid()}"
    for events, before in batches(queue, asked.stream, me, once=asked.once):
        if before < asked.deliveries:
            write(queue, asked.stream, *filled(model, events), before)
        else:
            reason = f"delivered {before} times, and never done"
            write(queue, asked.stream, [], [(*one, reason) for one in events], before)


if __name__ == "__main__":
    main()
