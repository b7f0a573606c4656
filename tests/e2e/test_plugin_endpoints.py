"""A plugin in each language that serves endpoints, whose notifications' buttons run its functions, and that asks people."""

from __future__ import annotations

import hashlib
import hmac
import threading
import time

import pytest

from tests.e2e.client import Refused, eventually

SCOPES = ("notifications", "ui", "commands")
SECRET = b"shared"
CODE = {
    "nodejs": """
const { createHmac } = require('node:crypto');
module.exports = {
  onLoad() {
    const endpoint = (method, path, handler, more) => streamspace.api.registerEndpoint({ method, path, handler, ...more });
    endpoint('POST', '/items/:id', (req, res) => res.status(201).set('X-Item', req.params.id).json({
      id: req.params.id, tags: req.query.tag, body: req.body, by: req.user.username,
    }));
    endpoint('POST', '/hook', (req, res) => {
      const wanted = createHmac('sha256', 'shared').update(req.rawBody).digest('hex');
      res.sendStatus(req.get('X-Signature') === wanted ? 202 : 401);
    }, { public: true });
    endpoint('GET', '/page', (req, res) => res.send('<h1>Hi</h1>'));
    endpoint('GET', '/image', (req, res) => res.type('png').send(Buffer.from([0x89, 0x50, 0xff, 0x00])));
    endpoint('GET', '/admin', () => 'yes', { permissions: ['admin'] });
    endpoint('GET', '/fails', async () => { throw new RangeError('no such shelf'); });
    const command = (name, handler) => streamspace.commands.register({ name: `${this.manifest.name}-${name}`, description: 'd', handler });
    command('offer', async ({ to }) => {
      await streamspace.notify(to, { title: 'Update', message: 'New', actions: [
        { label: 'Now', url: '/sessions' },
        { label: 'Later', handler: (action, { user }) => `${user.username}: later` },
        { label: 'Named', handler: 'snooze' },
      ] });
    });
    command('ask', async () => {
      const confirmed = await streamspace.ui.showDialog({ title: 'Delete Session', message: 'Sure?', type: 'confirm', buttons: [
        { label: 'Cancel', value: false }, { label: 'Delete', value: true, color: 'error' },
      ] });
      return { confirmed };
    });
    command('ask-in-vain', async () => {
      try {
        await streamspace.ui.showDialog({ title: 'Hello?', message: 'Nobody there?' });
      } catch (error) {
        return [error.name, error instanceof streamspace.errors.DialogTimeoutError];
      }
    });
    command('own', () => streamspace.api.request(`plugins/${this.manifest.name}/page`));
  },
  onNotificationAction(action, { user }) { return `${user.username} pressed ${action.handler}`; },
};
""",
    "python": """
import hashlib
import hmac

import streamspace


class Plugin:
    def on_load(self):
        endpoint = streamspace.api.register_endpoint
        endpoint(method="POST", path="/items/:id", handler=self.item)
        endpoint(method="POST", path="/hook", handler=self.hook, public=True)
        endpoint(path="/page", handler=lambda req, res: res.send("<h1>Hi</h1>"))
        endpoint(path="/image", handler=lambda req, res: res.type("png").send(bytes([0x89, 0x50, 0xFF, 0x00])))
        endpoint(path="/admin", handler=lambda: "yes", permissions=["admin"])
        endpoint(path="/fails", handler=self.fails)
        for name, handler in {"offer": self.offer, "ask": self.ask, "ask-in-vain": self.ask_in_vain, "own": self.own}.items():
            streamspace.commands.register(name=self.manifest["name"] + "-" + name, description="d", handler=handler)

    def item(self, req, res):
        body = {"id": req.params["id"], "tags": req.query["tag"], "body": req.body, "by": req.user["username"]}
        return res.status(201).set("X-Item", req.params["id"]).json(body)

    def hook(self, req, res):
        wanted = hmac.new(b"shared", req.raw_body, hashlib.sha256).hexdigest()
        res.send_status(202 if req.get("X-Signature") == wanted else 401)

    async def fails(self, req):
        raise LookupError("no such shelf")

    def offer(self, args):
        actions = [
            {"label": "Now", "url": "/sessions"},
            {"label": "Later", "handler": lambda action, context: context["user"]["username"] + ": later"},
            {"label": "Named", "handler": "snooze"},
        ]
        streamspace.notify(args["to"], title="Update", message="New", actions=actions)

    async def ask(self, args):
        buttons = [{"label": "Cancel", "value": False}, {"label": "Delete", "value": True, "color": "error"}]
        dialog = {"title": "Delete Session", "message": "Sure?", "type": "confirm"}
        return {"confirmed": await streamspace.ui.show_dialog(**dialog, buttons=buttons)}

    def ask_in_vain(self, args):
        try:
            streamspace.ui.show_dialog(title="Hello?", message="Nobody there?")
        except streamspace.DialogTimeoutError as error:
            return [error.name, True]

    def own(self, args):
        return streamspace.api.request("plugins/" + self.manifest["name"] + "/page")

    def on_notification_action(self, action, context):
        return f"{context['user']['username']} pressed {action['handler']}"
""",
}


@pytest.fixture(scope="module", params=["nodejs", "python"])
def shop(request, module_plugin):
    return module_plugin.install(CODE[request.param], runtime=request.param, permissions=SCOPES)


def call(api, shop, method, path, body=None, **headers):
    return api.raw(method, f"/api/v1/plugins/{shop.slug}{path}", body=body, headers=headers)


def test_an_endpoint_gets_parameters_query_and_json_and_answers_as_it_likes(api, shop):
    sent = {"Content-Type": "application/json"}

    answer = call(api, shop, "POST", "/items/a%2Fb?tag=x&tag=%C3%BC", '{"n": [1, "ü"]}'.encode(), **sent)

    assert (answer.status, answer.headers["X-Item"]) == (201, "a/b")
    assert answer.json == {"id": "a/b", "tags": ["x", "ü"], "body": {"n": [1, "ü"]}, "by": "admin"}


def test_a_webhook_of_others_needs_no_token_and_is_verified_by_its_raw_body(api, shop):
    stranger = type(api)(api.url)

    def deliver(body, signature, media_type="application/json"):
        return call(stranger, shop, "POST", "/hook", body, **{"Content-Type": media_type, "X-Signature": signature}).status

    for body, media_type in (
        (b'{"event":  "paid",\n"amount": 12.50}', "application/json"),
        (bytes(range(256)), "application/octet-stream"),
    ):
        assert deliver(body, hmac.new(SECRET, body, hashlib.sha256).hexdigest(), media_type) == 202
        assert deliver(body, "0" * 64, media_type) == 401


def test_a_page_is_sandboxed_and_an_image_is_an_image(api, shop):
    page = call(api, shop, "GET", "/page")
    head = call(api, shop, "HEAD", "/page")
    image = api._http.request(
        "GET", f"{api.url}/api/v1/plugins/{shop.slug}/image", headers={"Authorization": f"Bearer {api.token}", "Accept": "text/html"}
    )

    assert (page.text, page.headers["Content-Type"]) == ("<h1>Hi</h1>", "text/html; charset=utf-8")
    assert page.headers["Content-Security-Policy"].startswith("sandbox ")
    assert (head.status, head.text) == (200, "")
    assert (image.headers["Content-Type"], image.data) == ("image/png", b"\x89P\xff\x00")


def test_who_may_call_and_what_is_wrong_is_said(api, shop, user):
    assert call(type(api)(api.url), shop, "GET", "/page").status == 401
    assert (call(user.api, shop, "GET", "/admin").status, call(api, shop, "GET", "/admin").json) == (403, "yes")
    assert call(api, shop, "GET", "/nothing").status == 404
    wrong = call(api, shop, "PUT", "/page")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    failed = call(api, shop, "GET", "/fails")
    assert (failed.status, failed.json["error"]["code"]) == (502, "ENDPOINT_FAILED")
    assert failed.json["error"]["message"] == f"The endpoint 'GET /fails' of '{shop.slug}' failed: no such shelf"
    assert api.run(f"{shop.slug}-own") == "<h1>Hi</h1>"


def test_a_click_runs_the_function_that_the_notification_came_with(api, shop, user):
    api.run(f"{shop.slug}-offer", to=user.username)
    api.run(f"{shop.slug}-offer", to=user.username)
    second, first = (one["id"] for one in user.api.get("/notifications")[:2])

    def press(notification, n):
        return user.api.post(f"/notifications/{notification}/actions/{n}")

    assert press(first, 0) == {"url": "/sessions", "message": None}
    assert press(first, 2) == {"url": None, "message": f"{user.username} pressed snooze"}
    with pytest.raises(Refused) as again:
        press(first, 1)
    assert again.value.code == "NOTIFICATION_ALREADY_ACTED"
    # In the container that sent it the function runs; in another one the method is asked, with no name to go by.
    by_method = {f"{user.username} pressed undefined", f"{user.username} pressed None"}
    assert press(second, 1)["message"] in {f"{user.username}: later", *by_method}


def test_a_command_waits_for_the_answer_of_the_person_who_runs_it(api, shop, user):
    told = {}
    for value in (True, None):
        waiting = threading.Thread(target=lambda: told.update(user.api.run(f"{shop.slug}-ask")))
        waiting.start()
        (dialog,) = eventually(lambda: user.api.get("/dialogs"), 20, "nobody was asked")
        with pytest.raises(Refused):
            api.post(f"/dialogs/{dialog['id']}/answer", {"value": True})
        user.api.post(f"/dialogs/{dialog['id']}/answer", {"value": value})
        waiting.join(20)

        assert told == {"confirmed": value}
        assert user.api.get("/dialogs") == []


def test_a_dialog_that_nobody_answers_ends_before_the_call_does_and_cannot_be_answered_then(api, shop, user):
    # A function with less time than a request has: the wait is as long as the call's, whichever ends first.
    api.patch(f"/admin/plugins/{shop.slug}/limits", {"timeout_s": 6})
    seen = []
    watcher = threading.Thread(target=lambda: seen.extend(eventually(lambda: user.api.get("/dialogs"), 20)))
    watcher.start()
    began = time.monotonic()

    assert user.api.run(f"{shop.slug}-ask-in-vain") == ["DialogTimeoutError", True]

    assert time.monotonic() - began < 12
    watcher.join()
    assert user.api.get("/dialogs") == []
    with pytest.raises(Refused) as closed:
        user.api.post(f"/dialogs/{seen[0]['id']}/answer", {"value": True})
    assert (closed.value.code, closed.value.message) == ("DIALOG_CLOSED", "The plugin does not wait for the answer any more")
