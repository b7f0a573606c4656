"""``streamspace``: the commands, and how their failures are shown."""

import json
from typing import Any

import click

from cli import (
    account,
    authoring,
    commands,
    dialogs,
    jobs,
    licenses,
    marketplace,
    notifications,
    plugins,
    policies,
    sessions,
    sso,
    templates,
    tiers,
    users,
    webhooks,
)
from cli.errors import CliError
from cli.output import visible


class Cli(click.Group):
    """Exit codes: 0, 1 when the command failed, 2 when it was called wrongly."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CliError as error:
            for line in explained(error):
                click.echo(line, err=True)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise  # the reader of our output has gone; click knows what to do
            click.echo(f"FILE_ERROR: {error}", err=True)
        return ctx.exit(1)


def explained(error: CliError) -> list[str]:
    """One line with code and message, and one for each detail."""
    lines = [f"{error.code}: {visible(error.message)}"]
    details = error.details if isinstance(error.details, dict) else {}
    for field, detail in details.items():
        if detail in (None, "", [], {}):
            continue
        if isinstance(detail, list) and all(isinstance(sentence, str) for sentence in detail):
            lines += [f"  {visible(field)}: {visible(sentence)}" for sentence in detail]
        else:
            text = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
            lines.append(f"  {visible(field)}: {visible(text)}")
    return lines


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="streamspace-on-aws", prog_name="streamspace")
def cli() -> None:
    """Drive a StreamSpace platform, and make and publish its plugins.

    A running local stack is found by itself. Elsewhere sign in with 'streamspace login', or set STREAMSPACE_API_URL
    and STREAMSPACE_TOKEN.
    """


for command in (
    account.login,
    account.logout,
    account.whoami,
    marketplace.marketplace,
    plugins.plugins,
    policies.platform,
    jobs.jobs,
    sessions.sessions,
    users.users,
    tiers.admin,
    sso.sso,
    templates.templates,
    commands.commands,
    notifications.notifications,
    dialogs.dialogs,
    webhooks.webhooks,
    licenses.licenses,
    authoring.publish_command,
    authoring.plugin,
):
    cli.add_command(command)


if __name__ == "__main__":
    cli()
