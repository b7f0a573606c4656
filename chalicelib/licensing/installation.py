"""Which installation of StreamSpace this is, for the licence service: an id made once, at random."""

from __future__ import annotations

from contextlib import suppress

from pynamodb.exceptions import PutError

from chalicelib.core import ids
from chalicelib.core.tables import condition_failed
from chalicelib.licensing.models import InstallationRow


def id_of_this() -> str:
    """The same for the platform's whole life. One GetItem; the first time two calls more."""
    with suppress(InstallationRow.DoesNotExist):
        return _kept()
    try:
        InstallationRow(id=ids.text("ins")).save(condition=InstallationRow.pk.does_not_exist())
    except PutError as error:
        # Somebody else was the first.
        if not condition_failed(error):
            raise
    return _kept()


def _kept() -> str:
    return str(InstallationRow.get("INSTALLATION", "id", consistent_read=True).id)
