"""Jobs: installing, updating and uninstalling, as steps with a way back each, driven by Step Functions.

Promises
    One job at a time on a plugin.
    A job ends ``succeeded``, or ``failed`` with nothing left over, or ``stuck`` and says what is left. See ``saga``.
"""

from __future__ import annotations

from typing import Any

from chalicelib.jobs import steps, tickets
from chalicelib.jobs.automatic import install_due, tell_of_ended
from chalicelib.jobs.backups import Backup
from chalicelib.jobs.backups import listed as backups_of
from chalicelib.jobs.errors import failure_of
from chalicelib.jobs.install import INSTALL
from chalicelib.jobs.records import FAILED, STUCK, SUCCEEDED, Job, News, get
from chalicelib.jobs.restore import RESTORE
from chalicelib.jobs.service import (
    recover_abandoned,
    start_install,
    start_restore,
    start_uninstall,
    start_update,
    wait_for_end,
    wait_for_news,
)
from chalicelib.jobs.uninstall import UNINSTALL
from chalicelib.jobs.update import UPDATE

SAGAS = {saga.name: saga for saga in (INSTALL, UNINSTALL, UPDATE, RESTORE)}


def run_step(payload: dict[str, Any]) -> None:
    """What a Lambda task of a state machine does."""
    steps.run(SAGAS, payload)


__all__ = [
    "FAILED",
    "SAGAS",
    "STUCK",
    "SUCCEEDED",
    "Backup",
    "Job",
    "News",
    "backups_of",
    "failure_of",
    "get",
    "install_due",
    "recover_abandoned",
    "run_step",
    "start_install",
    "start_restore",
    "start_uninstall",
    "start_update",
    "tell_of_ended",
    "tickets",
    "wait_for_end",
    "wait_for_news",
]
