"""What goes into Proself: `config` and `sheet`."""

import argparse
import asyncio
import sys
from pathlib import Path

from proself_mail.cli.arguments import Commands, file, minutes, port
from proself_mail.cli.terminal import both, print_document, show_command
from proself_mail.errors import ConfigurationError
from proself_mail.quantity import quantity


def add_config(commands: Commands) -> None:
    """Add `config`."""
    config = commands.add_parser("config", help="render the Proself config file again")
    config.add_argument("--stack", required=True, help="its name")
    config.add_argument(
        "--without-secret", action="store_true", help="cover the secret; in JSON it is null"
    )
    config.add_argument("--json", action="store_true", help="JSON instead of TOML")
    config.add_argument("--write", action="store_true", help="write it where the stack has it")
    config.set_defaults(run=_config)


def _config(arguments: argparse.Namespace) -> int:
    from proself_mail.proself import rendering
    from proself_mail.stack.project import find_project

    if arguments.write and (arguments.without_secret or arguments.json):
        raise ConfigurationError(
            "--without-secret and --json are for what is shown, and --write writes the file as "
            "`up` does: TOML, with the secret.",
            "Leave out either --write or the others.",
        )
    project = find_project(Path.cwd())
    if arguments.write:
        sys.stdout.write(f"{asyncio.run(rendering.write(arguments.stack, project))}\n")
        return 0
    with_secret = not arguments.without_secret
    shown = asyncio.run(rendering.render(arguments.stack, project, with_secret=with_secret))
    print_document(shown.model_dump_json(indent=2) + "\n" if arguments.json else shown.to_toml())
    return 0


def add_sheet(commands: Commands) -> None:
    """Add `sheet`."""
    sheet = commands.add_parser(
        "sheet",
        help="show what to enter on Proself's screens, with a copy button for each value",
        description="Serve the setup sheet to this machine's browser, once. It ends when the page "
        "is closed (exit code 0), by Ctrl-C (130), or when nobody opens it (4).",
    )
    sheet.add_argument("--stack", required=True, help="its name")
    sheet.add_argument(
        "--out", type=file, metavar="FILE", help="write it to a file instead, without the secret"
    )
    sheet.add_argument(
        "--with-secret", action="store_true", help="with --out: the secret too, for you alone"
    )
    sheet.add_argument(
        "--port", metavar="PORT", type=port, help="serve it there (default: any free one)"
    )
    sheet.add_argument(
        "--timeout", type=minutes, metavar="MINUTES", help="for opening it (default: 5)"
    )
    sheet.set_defaults(run=_sheet)


def _sheet(arguments: argparse.Namespace) -> int:
    from proself_mail.browser import private_link
    from proself_mail.browser.graphical_browser import open_page
    from proself_mail.sheet import sheet, sheet_file, sheet_server
    from proself_mail.stack import stack_folder
    from proself_mail.stack.project import find_project
    from proself_mail.text import report

    out, with_secret = arguments.out, arguments.with_secret
    if with_secret and out is None:
        raise ConfigurationError(
            "--with-secret is for a file; the page in the browser has the secret anyway.",
            "Give --out FILE too, or leave --with-secret out.",
        )
    if out and (arguments.port or arguments.timeout):
        raise ConfigurationError(
            "--port and --timeout are for the page in the browser, and --out writes a file.",
            "Leave out either --out or the others.",
        )
    if out:
        sheet_file.check(out, arguments.stack, with_secret=with_secret)
    project = find_project(Path.cwd())
    made = asyncio.run(sheet.read(arguments.stack, project))
    if out:
        sheet_file.write(out, made, with_secret=with_secret)
        report.output().print(str(out), markup=False, soft_wrap=True)
        if with_secret:
            for sentence in both(
                "It holds the client secret. Delete it as soon as the values are in Proself, from "
                "the recycle bin too.",
                "このファイルにはシークレットが含まれています。Proself に入力したら、すぐに削除して"
                "ください (ごみ箱からも)。",
            ):
                report.show(report.output(), sentence)
        return 0
    console = report.commentary()
    console.print(
        f"Opening the setup sheet of {made.stack} in the browser. It ends when its page is closed, "
        "or by Ctrl-C here; the secret is kept nowhere.",
        markup=False,
    )
    folder = stack_folder.path(project, made.stack)
    with private_link.opening(folder, open_page) as open_browser:
        person = sheet_server.Person(
            open_browser, _tell_sheet_address, arguments.timeout or sheet_server.PATIENCE
        )
        again = sheet_server.serve(made, person, arguments.port or 0)
    console.print("The page was closed, and nothing is served any more.")
    if again:
        for sentence in both(
            f"Its address was opened again ({quantity(again, 'time')}) and gave nothing then. If "
            "you did not see the sheet yourself, somebody else did: revoke the secret.",
            f"シートのアドレスが再び開かれました ({again} 回。何も表示されていません)。ご自身で"
            "シートを見ていない場合は、ほかの人が見ています。シークレットを無効にしてください。",
        ):
            report.show(console, sentence)
        show_command(console, f"proself-mail rotate --revoke --stack {made.stack}")
    console.print("Once a mail from Proself has arrived:")
    show_command(console, made.acknowledge)
    return 0


def _tell_sheet_address(address: str) -> None:
    from proself_mail.text import report

    port = address.split(":")[2].partition("/")[0]
    console = report.commentary()
    console.print("No browser opened it. Open this address on this machine; it works once:")
    show_command(console, address)
    console.print("From another machine, before that:")
    show_command(console, f"ssh -L {port}:127.0.0.1:{port} THIS-MACHINE")
