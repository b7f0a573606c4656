"""Audit Trail: one storage entry for each event, under a key that sorts by time.

A key is ``entry:{time}:{action}:{user}:{id}``, with the time as ``20260102T030405Z``. It is made from the event alone,
so an event that is delivered again writes the same entry again; and a search reads only what it answers with.
"""

import itertools
from datetime import UTC, datetime, timedelta

import streamspace

MOST_RESULTS = 200
MOST_REMOVED_PER_RUN = 500  # the rest waits for the next hour rather than for the function's time to run out
FIRST_STAMP, LAST_STAMP = "00000000T000000Z", "99999999T999999Z"


class Plugin:
    def on_load(self):
        streamspace.commands.register(
            name="audit-search",
            description="Find entries by time, user and action, newest first",
            handler=self.search,
            permissions=["audit.view"],
        )
        streamspace.commands.register(
            name="audit-record",
            description="Add an entry to the audit trail",
            handler=self.record,
            # One of these is enough. "commands" is a scope, so other plugins may; of people, who got the permission.
            permissions=["commands", "audit.record"],
        )

    # What happens to sessions and users

    def on_session_created(self, session, event):
        detail = {"session": session["id"], "template": session["template"], "state": session["state"]}
        self._write(event["time"], event["type"], session["user"], event["id"], detail)

    on_session_started = on_session_stopped = on_session_hibernated = on_session_created
    on_session_woken = on_session_deleted = on_session_created

    def on_user_created(self, user, event):
        self._write(event["time"], event["type"], user["username"], event["id"], {})

    on_user_updated = on_user_deleted = on_user_created

    def on_user_login(self, user, event):
        if self.config.get("record_sign_ins", True):
            self.on_user_created(user, event)

    on_user_logout = on_user_login

    # Commands

    def record(self, args):
        """``{action, user, detail?, time?, id?}``. The same again, with its time and id, replaces the entry."""
        args = args or {}
        for name in ("action", "user"):
            if not isinstance(args.get(name), str) or not args[name]:
                raise ValueError(f"audit-record needs '{name}', a text such as {EXAMPLES[name]!r}")
        for name in ("action", "id"):
            if ":" in str(args.get(name, "")):
                raise ValueError(f"audit-record: '{name}' must not contain a colon")
        now = datetime.now(UTC)
        time = args.get("time") or now.strftime("%Y-%m-%dT%H:%M:%SZ")
        entry_id = args.get("id") or f"t{now.timestamp():.6f}"
        key = self._write(time, args["action"], args["user"], entry_id, args.get("detail") or {})
        return {"key": key}

    def search(self, args):
        """``{user?, action?, from?, to?, limit?}`` → ``{entries, more}``. Both ends of the time are included."""
        args = args or {}
        begin = stamp(args["from"]) if args.get("from") else FIRST_STAMP
        # A day alone as the end means that whole day.
        end = (stamp(args["to"])[:9] + "999999Z" if is_day(args["to"]) else stamp(args["to"])) if args.get("to") else LAST_STAMP
        limit = min(max(int(args.get("limit", 50)), 1), MOST_RESULTS)
        found = []
        for key in streamspace.storage.keys("entry:" + common_beginning(begin, end)):
            time, action, user, _ = parts_of(key)
            wanted_action = args.get("action")
            if (
                begin <= time <= end
                and args.get("user") in (None, user)
                # "session" finds all that happens to sessions.
                and (not wanted_action or action == wanted_action or action.startswith(wanted_action + "."))
            ):
                found.append(key)
        found.sort(key=newest_last, reverse=True)
        entries = [streamspace.storage.get(key) for key in found[:limit]]
        # An entry may be purged between the two reads.
        return {"entries": [entry for entry in entries if entry], "more": len(found) > limit}

    # Scheduled

    def purge_old_entries(self):
        oldest_kept = (datetime.now(UTC) - timedelta(days=self.config.get("retention_days", 90))).strftime("%Y%m%dT%H%M%SZ")
        too_old = sorted(key for key in streamspace.storage.keys("entry:") if parts_of(key)[0] < oldest_kept)
        for key in too_old[:MOST_REMOVED_PER_RUN]:
            streamspace.storage.delete(key)
        if too_old:
            left = max(len(too_old) - MOST_REMOVED_PER_RUN, 0)
            streamspace.log.info("Purged old entries", {"removed": len(too_old) - left, "left": left})

    def _write(self, time, action, user, entry_id, detail):
        key = f"entry:{stamp(time)}:{action}:{user}:{entry_id}"
        streamspace.storage.set(key, {"id": str(entry_id), "time": time, "action": action, "user": user, "detail": detail})
        return key


EXAMPLES = {"action": "mail.sent", "user": "john"}


def stamp(time):
    """RFC 3339, or a day, as ``20260102T030405Z`` in UTC: text that sorts as time does."""
    try:
        moment = datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{time!r} is not a time such as '2026-01-02T03:04:05Z' or '2026-01-02'") from error
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y%m%dT%H%M%SZ")


def newest_last(key):
    """Entries of the same second in the order of their ids, which grow: 9 before 10."""
    time, _, _, entry_id = parts_of(key)
    return time, len(entry_id), entry_id


def common_beginning(one, other):
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=True))
    return "".join(letter for letter, _ in same)


def is_day(time):
    return len(time) <= len("2026-01-02")


def parts_of(key):
    """(time, action, user, id) of a key. Only a username may hold a colon."""
    _, time, action, rest = key.split(":", 3)
    user, _, entry_id = rest.rpartition(":")
    return time, action, user, entry_id
