"""Notifications, which every open page asks for, do not load what sends email."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_notifications_and_packages_are_read_without_loading_what_sends_email():
    script = (
        "import sys, chalicelib.api.notifications, chalicelib.plugins, chalicelib.jobs\n"
        "print(*(name for name in sys.modules if name.startswith(('chalicelib.messaging.', 'jinja2', 'email.message'))))"
    )

    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    assert not {"chalicelib.messaging.mail", "chalicelib.messaging.templates", "chalicelib.messaging.feedback", "jinja2"} & set(loaded)
    assert "chalicelib.messaging.notifications" in loaded
