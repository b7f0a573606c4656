"""Session Insights: when sessions are started, and from which templates.

Storage: ``start:{day}:{event id}`` → ``{"hour", "template"}`` of each start, in UTC. An event that comes again writes the same key again,
so a duplicate cannot count twice; days sort as texts, so old ones are found by their keys alone.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

import streamspace

MOST_DAYS = 730


class Plugin:
    def on_load(self):
        streamspace.commands.register(
            name="session-insights",
            description="Starts of sessions by hour of the day and by template",
            handler=self.insights,
            permissions=["sessions.view"],
        )

    def on_session_started(self, session, event):
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
        streamspace.storage.set(f"start:{at.date().isoformat()}:{event['id']}", {"hour": at.hour, "template": session["template"]})

    def insights(self, args):
        """``{days?, template?}`` → ``{from, starts, busiest_hour, by_hour: [{hour, starts}], by_template: [{template, starts}]}``.

        The last seven days by default, today included; hours are of UTC, and those without a start are left out.
        """
        args = args or {}
        days = args.get("days", 7)
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
            raise ValueError(f"session-insights: 'days' must be a whole number from 1 to {MOST_DAYS}, not {days!r}")
        begin = (datetime.now(UTC).date() - timedelta(days=days - 1)).isoformat()
        found = [
            start for key in streamspace.storage.keys("start:") if key.split(":")[1] >= begin and (start := streamspace.storage.get(key))
        ]
        if args.get("template"):
            found = [start for start in found if start["template"] == args["template"]]
        hours = Counter(start["hour"] for start in found)
        templates = Counter(start["template"] for start in found)
        return {
            "from": begin,
            "starts": len(found),
            "busiest_hour": min(hours, key=lambda hour: (-hours[hour], hour), default=None),
            "by_hour": [{"hour": hour, "starts": hours[hour]} for hour in sorted(hours)],
            "by_template": [
                {"template": name, "starts": count} for name, count in sorted(templates.items(), key=lambda row: (-row[1], row[0]))
            ],
        }

    def forget_old_starts(self):
        oldest = (datetime.now(UTC).date() - timedelta(days=self.config.get("retention_days", 90))).isoformat()
        for key in streamspace.storage.keys("start:"):
            if key.split(":")[1] < oldest:
                streamspace.storage.delete(key)
