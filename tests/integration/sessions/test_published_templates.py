"""Published StreamSpace templates are taken as they are, and nothing of them is lost. Skipped where there are none to try."""

import os
from pathlib import Path

import pytest
import yaml

from chalicelib import sessions
from chalicelib.api.templates import CREATE_TEMPLATE
from chalicelib.core import validation

FOLDER = Path(os.environ.get("STREAMSPACE_SAMPLE_TEMPLATES", Path(__file__).parents[3] / "../shared/data/templates"))
FILES = sorted(FOLDER.rglob("*.y*ml")) if FOLDER.is_dir() else []


@pytest.mark.skipif(not FILES, reason=f"no templates in {FOLDER}")
def test_every_published_template_is_imported_with_nothing_lost(platform):
    platform.user("john", max_sessions=1000, memory="1000Gi")
    for file in FILES:
        document = sessions.read_yaml(file.read_bytes())
        validation.check(CREATE_TEMPLATE, document)

        made = sessions.create_template(document, by=platform.admin)

        assert sessions.document_of(sessions.get_template(made.name)) == yaml.safe_load(file.read_text())
        assert platform.worker.reconcile(platform.session("john", made.name).id)
    assert len(sessions.list_templates(limit=1000).templates) == len(FILES)
