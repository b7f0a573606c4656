"""Usage Report: measures how long sessions run.

Storage:

- ``usage:{user}:{template}:{session id}``: ``{"changes": {event id: [is running, time]}}``. Events of one session come
  one after another, so nobody else changes the record meanwhile; an event that comes again writes the same line again.
  Minutes are computed when asked for, never added up, so a duplicate cannot count twice.
- ``done:{day}:{event id}``: which messages were already sent because of that event.
"""

import html
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import streamspace

REMEMBER_DONE_DAYS = 30


class Plugin:
    def on_load(self):
        streamspace.commands.register(
            name="usage-report",
            description="Minutes by user or template in a stretch of time",
            handler=self.report,
            permissions=["usage.view"],
        )
        streamspace.ui.register_widget(
            "usage-this-week",
            title="Usage this week",
            component="./ui/UsageWidget.jsx",
            position="top",
            width="half",
            icon="bar-chart",
            permissions=["usage.view"],
        )

    # Measuring

    def on_session_created(self, session, event):
        """Whoever is measured shall know: the user hears of it, and how much time was used this month."""
        if not self.config.get("greet_users", True):
            return
        now = moment(event["time"])
        month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        used = minutes_by("user", stored_usage(session["user"]), month, now).get(session["user"], 0)
        text = f"Your {session['template']} session is measured. So far you used {in_words(used)} this month."
        each_once(
            done_key(event),
            {
                "notified": lambda: streamspace.notify(session["user"], title="Session created", message=text, type="info"),
                "emailed": lambda: mail_user(session["user"], "Your StreamSpace usage", text),
            },
        )

    def on_session_started(self, session, event):
        change(session, event, is_running=True)
        if self.config.get("greet_users", True):
            text = f"Metering of your {session['template']} session began."
            each_once(
                done_key(event),
                {"notified": lambda: streamspace.notify(session["user"], title="Session started", message=text, type="info")},
            )

    def on_session_woken(self, session, event):
        change(session, event, is_running=True)

    def on_session_hibernated(self, session, event):
        change(session, event, is_running=False)

    on_session_stopped = on_session_deleted = on_session_hibernated

    # Reporting

    def report(self, args):
        """``{by?: user|template, from?, to?, user?}`` → ``{from, to, by, rows: [{name, minutes}], total_minutes}``.

        The last seven days by default; most minutes first.
        """
        args = args or {}
        by = args.get("by", "user")
        if by not in ("user", "template"):
            raise ValueError(f"usage-report: 'by' must be 'user' or 'template', not {by!r}")
        end = moment(args["to"]) if args.get("to") else datetime.now(UTC)
        begin = moment(args["from"]) if args.get("from") else end - timedelta(days=7)
        if begin > end:
            raise ValueError("usage-report: 'from' must not be later than 'to'")
        minutes = minutes_by(by, stored_usage(args.get("user")), begin, end)
        rows = [{"name": name, "minutes": used} for name, used in sorted(minutes.items(), key=lambda row: (-row[1], row[0]))]
        return {
            "from": rfc3339(begin),
            "to": rfc3339(end),
            "by": by,
            "rows": rows,
            "total_minutes": sum(minutes.values()),
        }

    def daily_summary(self):
        """Yesterday's usage (UTC). The schedule may fire twice; the summary of a day is sent once."""
        end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = end - timedelta(days=1)
        day = begin.date().isoformat()
        usage = list(stored_usage())
        by_user = minutes_by("user", usage, begin, end)
        lines = [f"{name}: {in_words(used)}" for name, used in sorted(by_user.items(), key=lambda row: (-row[1], row[0]))]
        total = f"{in_words(sum(by_user.values()))} by {len(by_user)} user{'' if len(by_user) == 1 else 's'}"
        effects = {
            "notified": lambda: streamspace.notify_admins(title=f"Usage on {day}", message=total, type="info"),
        }
        recipients = [each.strip() for each in str(self.config.get("recipients") or "").split(",") if each.strip()]
        if recipients:
            body = f"Usage on {day}: {total}.\n\n" + "\n".join(lines)
            effects["emailed"] = lambda: mail(recipients, f"Usage on {day}", body)
        each_once(f"done:{day}:summary", effects)

    def forget_old_measurements(self):
        now = datetime.now(UTC)
        oldest_mark = f"done:{(now - timedelta(days=REMEMBER_DONE_DAYS)).date().isoformat()}"
        for key in streamspace.storage.keys("done:"):
            if key < oldest_mark:
                streamspace.storage.delete(key)
        oldest_kept = now - timedelta(days=self.config.get("retention_days", 90))
        for key, _, _, changes in stored_usage():
            last_is_running, last_time = changes[-1]
            if not last_is_running and last_time < oldest_kept:
                streamspace.storage.delete(key)


# Measurements


def change(session, event, *, is_running):
    key = f"usage:{session['user']}:{session['template']}:{session['id']}"
    record = streamspace.storage.get(key) or {"changes": {}}
    record["changes"][str(event["id"])] = [is_running, event["time"]]
    streamspace.storage.set(key, record)


def stored_usage(user=None):
    """(key, user, template, [(is running, time), …] in order) of each measured session."""
    for key in streamspace.storage.keys(f"usage:{user}:" if user else "usage:"):
        record = streamspace.storage.get(key)
        if not record:
            continue  # removed since the keys were listed
        owner, template, _ = key.removeprefix("usage:").rsplit(":", 2)
        in_order = sorted((moment(time), int(event_id), on) for event_id, (on, time) in record["changes"].items())
        yield key, owner, template, [(on, time) for time, _, on in in_order]


def minutes_by(by, usage, begin, end):
    """Whole minutes that sessions ran between two times, by ``user`` or ``template``; those with none are left out."""
    seconds = {}
    for _, user, template, changes in usage:
        name = user if by == "user" else template
        seconds[name] = seconds.get(name, 0) + sum(
            max((min(stop, end) - max(start, begin)).total_seconds(), 0) for start, stop in spans(changes, end)
        )
    return {name: int(total // 60) for name, total in seconds.items() if total >= 60}


def spans(changes, now):
    """From when to when a session ran. Starting what runs and stopping what does not changes nothing."""
    since = None
    for is_running, time in changes:
        if is_running and since is None:
            since = time
        elif not is_running and since is not None:
            yield since, time
            since = None
    if since is not None:
        yield since, max(since, now)


# Messages


def each_once(key, effects):
    """Run each effect that ``key`` does not say was run; what fails is run again when the event is delivered again.

    When the user is deleted meanwhile nobody is left to be told, and that counts as done.
    """
    done = streamspace.storage.get(key) or {}
    for name, effect in effects.items():
        if name not in done:
            with suppress(streamspace.UserNotFoundError):
                effect()
            done[name] = True
            streamspace.storage.set(key, done)


def done_key(event):
    return f"done:{moment(event['time']).date().isoformat()}:{event['id']}"


def mail_user(username, subject, text):
    mail(streamspace.api.get_user(username)["email"], subject, text)


def mail(to, subject, text):
    try:
        streamspace.email.send(to=to, subject=subject, text=text, html=f"<p>{html.escape(text).replace(chr(10), '<br>')}</p>")
    except streamspace.EmailNotConfiguredError:
        streamspace.log.warn("No email was sent: the platform has no email service", {"subject": subject})


# Times


def moment(time):
    try:
        parsed = datetime.fromisoformat(time)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{time!r} is not a time such as '2026-01-02T03:04:05Z' or '2026-01-02'") from error
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def rfc3339(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def in_words(minutes):
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
