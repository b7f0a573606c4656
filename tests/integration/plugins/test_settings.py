"""Settings: checked as a whole, changed in part, secrets never read back."""

import json
import threading
from dataclasses import replace

import pytest

from chalicelib.core.errors import ValidationError
from chalicelib.events import unit_of_work
from chalicelib.plugins import manifest, registry, settings
from chalicelib.plugins.models import SettingsRow, settings_key
from tests.event_history import history
from tests.integration.plugins.conftest import ADMIN, INVOICES

pytestmark = pytest.mark.usefixtures("secrets_key")

SLUG = "invoice-manager"


def change(**values):
    return settings.change(SLUG, values, by=ADMIN)


def faults(**values):
    with pytest.raises(ValidationError) as refused:
        change(**values)
    return refused.value.details


def test_before_anybody_set_anything_the_defaults_hold(invoices):
    values, version = settings.current(SLUG)

    assert values == {"invoice_prefix": "INV-", "default_currency": "USD", "default_due_days": 30, "auto_send_email": True}
    assert version == 1


def test_a_change_holds_and_leaves_the_other_settings_alone(invoices):
    answer = change(invoice_prefix="INVOICE-", default_due_days=14)

    assert answer == {"invoice_prefix": "INVOICE-", "default_due_days": 14}
    values, version = settings.current(SLUG)
    assert (values["invoice_prefix"], values["default_due_days"], values["default_currency"]) == ("INVOICE-", 14, "USD")
    assert version == 2


def test_a_change_is_told_with_its_keys_and_who_made_it(invoices):
    change(invoice_prefix="A-", default_currency="USD", default_due_days=30.0)

    event = history(f"plugin#{SLUG}")[0]
    assert event.type == "plugin.settings_changed"
    assert event.data == {"plugin": invoices.summary(), "changed_keys": ["invoice_prefix"]}
    assert event.actor == {"id": "ann", "name": "Ann Lee"}


def test_a_change_that_changes_nothing_is_told_to_nobody(invoices):
    before = len(list(history(f"plugin#{SLUG}")))

    assert change(default_currency="USD") == {"default_currency": "USD"}

    assert len(list(history(f"plugin#{SLUG}"))) == before
    assert settings.current(SLUG)[1] == 1


def test_all_faults_are_told_at_once_in_the_documents_words_and_nothing_is_changed(invoices):
    found = faults(invoice_prefix="INVOICE-2024-", default_due_days=400, default_currency="XYZ", auto_send_email="yes", colour="red")

    assert found["invoice_prefix"] == ["The invoice prefix must not exceed 10 characters"]
    assert found["default_due_days"] == ["The due days must be between 1 and 365"]
    assert set(found) == {"invoice_prefix", "default_due_days", "default_currency", "auto_send_email", "colour"}
    assert "invoice_prefix" in found["colour"][0]
    assert settings.current(SLUG)[1] == 1


def test_a_field_that_becomes_required_by_a_change_is_named(invoices):
    assert faults(auto_send_email=False) == {"reply_to": ["The reply to is required when the send invoice email automatically is false"]}

    assert change(auto_send_email=False, reply_to="a@example.com")["reply_to"] == "a@example.com"


def test_a_secret_is_given_to_the_plugin_and_to_nobody_else(invoices):
    assert change(smtp_password="hunter22") == {"smtp_password": None}

    assert settings.current(SLUG)[0]["smtp_password"] == "hunter22"
    shown = settings.shown(registry.get(SLUG))
    assert shown["values"]["smtp_password"] is None
    (field,) = [one for one in shown["schema"]["fields"] if one["key"] == "smtp_password"]
    assert field["is_set"] is True
    row = SettingsRow.get(settings_key(SLUG), "values")
    told = json.dumps([shown, row.plain, row.secret, *[event.data for event in history(f"plugin#{SLUG}")]])
    assert "hunter22" not in told


def test_a_secret_stays_on_null_and_goes_on_an_empty_text(invoices):
    change(smtp_password="hunter22")

    change(**{**settings.shown(registry.get(SLUG))["values"], "invoice_prefix": "X", "reply_to": "a@example.com"})
    assert settings.current(SLUG)[0]["smtp_password"] == "hunter22"

    change(smtp_password="")
    assert "smtp_password" not in settings.current(SLUG)[0]


def test_a_secrets_rules_hold_and_its_value_is_in_no_sentence(invoices):
    found = faults(smtp_password="abc")

    assert found == {"smtp_password": ["The smtp password must be at least 4 characters"]}
    assert "4096 bytes" in faults(smtp_password="x" * 5000)["smtp_password"][0]


def test_a_ciphertext_opens_nothing_in_another_place(invoices, install):
    change(smtp_password="hunter22")
    install("thief", settings={"fields": [{"key": "smtp_password", "type": "password"}]})
    stolen = SettingsRow.get(settings_key(SLUG), "values")
    SettingsRow(settings_key("thief"), "values", plain="{}", secret=stolen.secret).save()

    with pytest.raises(Exception, match="InvalidCiphertext"):
        settings.current("thief")


def test_a_field_that_was_a_secret_before_an_update_stays_unread(invoices):
    change(smtp_password="hunter22")
    document = json.loads(json.dumps(INVOICES))
    document["settings"]["fields"][-1]["type"] = "text"
    plugin = registry.get(SLUG)
    with unit_of_work() as work:
        registry.save(work, plugin.updated_to(manifest.parse(document), "1" * 64, plugin.installed_at))

    assert settings.shown(registry.get(SLUG))["values"]["smtp_password"] is None


def test_one_group_shows_its_tab_its_fields_and_their_values(invoices):
    shown = settings.shown(invoices, "email")

    assert [tab["key"] for tab in shown["schema"]["tabs"]] == ["email"]
    assert {field["key"] for field in shown["schema"]["fields"]} == {"auto_send_email", "reply_to", "smtp_password"} == set(shown["values"])
    assert settings.shown(invoices, "absent") == {"schema": {"tabs": [], "fields": []}, "values": {}}


def test_settings_are_gone_when_they_are_forgotten_and_come_back_from_a_backup(invoices):
    change(invoice_prefix="A-", smtp_password="hunter22")
    kept = settings.exported(SLUG)
    assert "hunter22" not in json.dumps(kept)

    settings.forget_settings(SLUG)
    settings.forget_settings(SLUG)
    assert settings.current(SLUG)[0]["invoice_prefix"] == "INV-"

    settings.restore(SLUG, kept)
    assert settings.current(SLUG)[0]["smtp_password"] == "hunter22"


def test_racing_changes_of_different_settings_both_hold(invoices):
    threads = [
        threading.Thread(target=change, kwargs=values)
        for values in ({"invoice_prefix": "A-"}, {"default_due_days": 7}, {"default_currency": "EUR"})
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    values, version = settings.current(SLUG)
    assert (values["invoice_prefix"], values["default_due_days"], values["default_currency"], version) == ("A-", 7, "EUR", 4)


def test_an_object_with_a_secret_inside_is_kept_as_a_secret_and_comes_back_whole(invoices):
    smtp = {"type": "object", "properties": {"host": {"type": "string"}, "password": {"type": "string", "format": "password"}}}
    document = {**INVOICES, "settings": None, "configSchema": {"properties": {"smtp": smtp}}}
    with unit_of_work(ADMIN.actor) as work:
        registry.save(work, replace(registry.get(SLUG), manifest=manifest.parse({k: v for k, v in document.items() if v is not None})))

    assert change(smtp={"host": "mail.example", "password": "hunter2"}) == {"smtp": None}

    assert settings.current(SLUG)[0] == {"smtp": {"host": "mail.example", "password": "hunter2"}}
    told = settings.shown(registry.get(SLUG))
    assert (told["values"], told["schema"]["fields"][0]["is_set"]) == ({"smtp": None}, True)
    row = SettingsRow.get(settings_key(SLUG), "values")
    assert "hunter2" not in row.secret + row.plain
    assert faults(smtp={"password": 5}) == {"smtp": ["The password of the smtp must be a text"]}
