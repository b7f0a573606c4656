"""A plugin's long timers are schedules of the platform, and a scheduled run reaches the function that onLoad gave, in both languages."""

from __future__ import annotations

import json

import pytest

from tests.e2e.client import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

TICKING = {
    "nodejs": """
module.exports = {
  timers: [],
  async onLoad() {
    this.timers.push(setInterval(() => streamspace.storage.set('ticked', true), 60 * 1000));
    streamspace.schedule('broken', '0 3 * * *', () => { throw new Error('the night is too dark'); }, { timezone: 'Europe/Berlin' });
    streamspace.commands.register({
      name: `${this.manifest.name}-stop`,
      description: 'Stops',
      handler: () => this.timers.forEach(clearInterval),
    });
  },
  async onUnload() { this.timers.forEach((timer) => clearInterval(timer)); },
};
""",
    "python": """
import streamspace


class Plugin:
    def on_load(self):
        self.timer = streamspace.set_interval(lambda: streamspace.storage.set("ticked", True), 60)
        streamspace.schedule("0 3 * * *", self.broken, name="broken", timezone="Europe/Berlin")
        streamspace.commands.register(
            name=self.manifest["name"] + "-stop", description="Stops", handler=lambda args: streamspace.clear_interval(self.timer)
        )

    def broken(self):
        raise ValueError("the night is too dark")
""",
}


@pytest.mark.parametrize("runtime", ["nodejs", "python"])
def test_a_timer_is_a_schedule_that_calls_its_function_and_goes_when_it_is_cleared(api, account, plugin, runtime):
    ticking = plugin.install(TICKING[runtime], runtime=runtime, permissions=("storage", "commands"))
    scheduler = account.client("scheduler")

    def schedules() -> dict[str, str]:
        found = scheduler.get_paginator("list_schedules").paginate()
        mine = [one["Name"] for page in found for one in page["Schedules"] if f"-plugin-{ticking.slug}_" in one["Name"]]
        return {name.rpartition("_")[2]: name for name in mine}

    made = schedules()
    assert set(made) == {"interval-1m", "broken"}
    timer, broken = (scheduler.get_schedule(Name=made[name]) for name in ("interval-1m", "broken"))
    assert timer["ScheduleExpression"] == "rate(1 minute)"
    assert (broken["ScheduleExpression"], broken["ScheduleExpressionTimezone"]) == ("cron(0 3 * * ? *)", "Europe/Berlin")

    # What Scheduler would send at its time, sent at once.
    functions = account.client("lambda")
    for target in (timer["Target"], broken["Target"]):
        functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=target["Input"])

    eventually(lambda: account.stored_by(ticking.slug).get("ticked") is True, 60, lambda: "the timer's function did not run")
    logs = f"/admin/plugins/{ticking.slug}/logs"
    eventually(lambda: "the night is too dark" in json.dumps(api.get(logs)), 60, lambda: json.dumps(api.get(logs)))

    api.run(f"{ticking.slug}-stop")

    assert set(schedules()) == {"broken"}
    api.post(f"/admin/plugins/{ticking.slug}/deactivate")
    assert schedules() == {}
