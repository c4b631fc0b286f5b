"""Words and lines as a person types them: in a POSIX shell, on Windows in PowerShell."""

import re
import shlex
import sys

_PLAIN = re.compile(r"[\w./+\\][\w./+\\@:=-]*", re.ASCII)
"""What PowerShell takes as one word without quotes: no list, no parameter."""
_QUOTES = re.compile("(['\u2018-\u201b])")
"""What PowerShell takes for a single quotation mark (its CharTraits.cs)."""

TYPED_PASSPHRASE = (
    "`$env:PULUMI_CONFIG_PASSPHRASE = "
    "[Net.NetworkCredential]::new('', (Read-Host -AsSecureString)).Password`"
    if sys.platform == "win32"
    else "`read -rs PULUMI_CONFIG_PASSPHRASE && export PULUMI_CONFIG_PASSPHRASE` (in bash and zsh)"
)
"""The line by which a person types a passphrase unseen, as a sentence has it.

The `read` of other shells knows no `-s`. Windows' own PowerShell has no `Read-Host -MaskInput`.
"""


def shell_word(word: str) -> str:
    """Return a word as this system's shell takes it for itself."""
    return powershell_word(word) if sys.platform == "win32" else shlex.quote(word)


def powershell_word(word: str) -> str:
    """Return a word as PowerShell takes it for itself."""
    return word if _PLAIN.fullmatch(word) else powershell_text(word)


def powershell_text(text: str) -> str:
    """Return a text as PowerShell's program text has it, in quotation marks."""
    doubled = _QUOTES.sub(r"\1\1", text)
    return f"'{doubled}'"


def connection_trial(host: str, port: int) -> str:
    """Return the line that tries whether a server can be reached."""
    if sys.platform == "win32":
        return f"Test-NetConnection {shell_word(host)} -Port {port}"
    return f"nc -vz {shell_word(host)} {port}"


def leading(options: str) -> str:
    """Return the line that has this system's shell run what `emulator env` prints."""
    command = f"proself-mail emulator env {options}"
    if sys.platform == "win32":
        return f"{command} --shell powershell | Out-String | Invoke-Expression"
    return f'eval "$({command})"'
