"""What a failed operation of the engine means: wait and go on, or stop and say why.

A pure function of the words in the engine's diagnostics, which are the azuread plugin's, which
quotes Graph. What is known to pass with time is told apart from what never mends; words that
nobody has seen stop the run and are quoted. Sources: recorded failures of the azuread plugin 6.10,
its code, and the replies collected from Microsoft's pages and users' reports (docs/failures.md).
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from proself_mail.config.stack_name import short_name
from proself_mail.errors import ConfigurationError, Error, Refused, RemoteError, parted, sentence
from proself_mail.text.command_line import TYPED_PASSPHRASE, leading
from proself_mail.text.quotation import uncredentialed

STATE_BEFORE = (
    "bring the state from before back from the backend's history (on a file backend it lies beside "
    "the state, as `STACK.json.bak`)"
)
"""What a person does about a state that is of no use: a clause."""


_NAMED = re.compile(r"(--stack )?\bSTACK\b")


def _naming(stack: str, next_step: str) -> str:
    """Put a stack's name in the place of STACK: in a command as it is typed, else a file's."""
    return _NAMED.sub(
        lambda found: f"{found[1]}{stack}" if found[1] else short_name(stack), next_step
    )


def how_to_repair(stack: str) -> str:
    """Say what a person does about a state that the engine reads and refuses to use."""
    return _naming(
        stack,
        "`pulumi state repair --stack STACK` takes away what refers to nothing, and changes "
        f"nothing where that does not suffice: then {STATE_BEFORE}.",
    )


class Kind(StrEnum):
    """What to do about a failure."""

    LAG = "lag"
    """A replica does not show a write yet: go on."""
    BUSY = "busy"
    """Throttled, or out of order for a moment: go on."""
    CONFLICT = "conflict"
    """Two writes at once: go on."""
    LOST = "lost"
    """No answer came; the write may have been carried out: look, then go on."""
    KILLED = "killed"
    """The program was ended by a signal; a new run looks at what it left."""
    EXPIRED = "expired"
    """The token ran out on the way; a new run signs in anew."""
    EXISTS = "exists"
    """It is there and not in the state: adopt it, then go on."""
    LOCKED = "locked"
    """Another run holds the stack."""
    PERMANENT = "permanent"
    """It will not mend by itself."""

    @property
    def passes(self) -> bool:
        """Whether going on can end well without a person."""
        return self not in (Kind.LOCKED, Kind.PERMANENT)


@dataclass(frozen=True)
class Failure:
    """One failed operation."""

    kind: Kind
    said: str
    """The engine's words, on one line and not too many."""
    resource: str = ""
    """The name of the resource in the program; blank for the run as a whole."""
    cause: str = ""
    next_step: str = ""
    """What a person does about it; for those that do not pass."""
    ends_as: type[Error] = RemoteError

    @property
    def is_of_one_there(self) -> bool:
        """Whether its resource surely is in the tenant, though no state may know it."""
        return self.kind is Kind.EXISTS or "nil state" in self.said

    @property
    def is_of_lifetime(self) -> bool:
        """Whether a policy wants a secret to end sooner."""
        return re.search(_LIFETIME, self.said) is not None

    def error(self) -> Error:
        """Return it as the error that ends the command."""
        cause = f"{self.cause} ({self.said})" if self.cause else self.said
        # A resource's name stays as it is in the program.
        told = f"{self.resource}: {cause.rstrip('.')}." if self.resource else sentence(cause)
        return self.ends_as(told, self.next_step)


_UNKNOWN = (
    "Nothing more was tried, because these words are not known to pass. If the reason is not "
    "clear from them, `proself-mail verify --stack STACK` looks at everything; then run it again."
)
_UNKNOWN_OF_COMMAND = (
    "These words are the Pulumi CLI's own, and nothing is known here about them. Mend what they "
    "name (`pulumi whoami --verbose` shows whether it reaches its backend by itself), then try "
    "again."
)
HOW_TO_CHOOSE = (
    "Choose one and keep it as you keep passwords: without it nobody can use the stack any more. "
    f"{TYPED_PASSPHRASE} lets you type it, unseen; then try again. Or give a key vault's key by "
    "--secrets-provider."
)
"""What a person does before a stack can be made that a passphrase is to encrypt."""
_BACKEND = (
    "Look at PULUMI_BACKEND_URL and at what it needs to sign in; `pulumi login` chooses a backend "
    "where it is not set, and `pulumi whoami --verbose` names the one in use."
)
_TAKES_MINUTES = "One that was just made takes minutes to work: then run it again."
_NO_TRUST = (
    "Compare the subject, the issuer and the audience that these words name with the federated "
    "credentials of that application (`infra/pipeline` makes them). GitHub gives a repository that "
    "was made, renamed or transferred since July 2026 a subject with ids, "
    "repo:OWNER@ID/NAME@ID:environment:X; then `repository` there has to be OWNER@ID/NAME@ID, as "
    f"between `repo:` and the next colon. {_TAKES_MINUTES}"
)
"""What a person does where no federated credential fits a job (AADSTS70021 and its like).

The ids: GitHub, "OpenID Connect reference", Immutable subject claims; Azure/azure-dev#9382.
"""
_LONGEST = 600
_LIFETIME = r"CredentialInvalidLifetimeAsPerAppPolicy|exceeds the max value allowed"
_UNPROTECTING = re.compile(r" ?To unprotect the resource, .*")
"""The engine's advice, by which what it protects would be gone."""
_QUOTED = re.compile(
    r"AADSTS\d+: .*?(?= Trace ID|$)|snapshot integrity failure.*?(?= Stack Trace:|$)"
)
"""Words that all others of their error are only around, such as trace ids and advice."""


class Rule(NamedTuple):
    """Words that mean something, and what."""

    pattern: str
    """Alternatives, in a regular expression."""
    kind: Kind
    cause: str = ""
    next_step: str = ""
    ends_as: type[Error] = RemoteError
    source: str = "–"
    """Where the words come from, by the letters of docs/failures.md, and a remark."""


RULES = (
    # What never mends comes first: a policy's refusal may quote an object that lags too.
    Rule(
        r"AADSTS7000215|AADSTS7000222",
        Kind.PERMANENT,
        "the tenant refuses the sign-in",
        "Check ARM_CLIENT_ID and ARM_CLIENT_SECRET; make a new client secret for the signing-in "
        "application if its own has expired (AADSTS7000222).",
        source="M",
    ),
    Rule(
        r"AADSTS700016|AADSTS90002|AADSTS700027",
        Kind.PERMANENT,
        "the tenant refuses the sign-in",
        "Check ARM_CLIENT_ID, the tenant, and what the application proves itself by: its secret, "
        "its certificate or the job's ID token.",
        source="M",
    ),
    Rule(
        r"AADSTS53003\b",
        Kind.PERMANENT,
        "a Conditional Access policy blocks the sign-in",
        # Microsoft, "Troubleshooting sign-in problems with Conditional Access" and "What are
        # service principal sign-ins in Microsoft Entra?".
        "Entra admin center → Monitoring & health → Sign-in logs: open the entry of this identity "
        "(an application's is under Service principal sign-ins); its Conditional Access tab names "
        "the policy. Have an administrator let the identity through, then try again.",
        source="M",
    ),
    Rule(
        r"CredentialTypeNotAllowedAsPerAppPolicy",
        Kind.PERMANENT,
        "a policy of the tenant forbids client secrets on applications",
        "Have an administrator exempt the application in an app management policy of its own.",
        source="U",
    ),
    Rule(
        _LIFETIME,
        Kind.PERMANENT,
        "a policy of the tenant allows client secrets for a shorter time only",
        "Add an entry to `secrets` with the instant at which the refused window began and fewer "
        "everyDays + overlapDays.",
        source="U",
    ),
    Rule(
        r"HostNameNotOnVerifiedDomain|Failed to add identifier URI",
        Kind.PERMANENT,
        "a policy of the tenant refuses the Application ID URI",
        "Have an administrator exempt the application in the policy on identifier URIs.",
        source="M, text U",
    ),
    Rule(
        r"Directory_QuotaExceeded",
        Kind.PERMANENT,
        "the signing-in identity has made as many objects as it may, those in the recycle bin "
        "included",
        "Delete what is not needed and purge it (`proself-mail sweep` does so for test stacks), "
        "or sign in as an administrator.",
        source="M",
    ),
    Rule(
        # Said of a service principal while its application is on the way to the replica.
        r"backing application of the service principal being created must in the local tenant",
        Kind.LAG,
        source="C: a 403 too, while the application is on the way to the replica",
    ),
    Rule(
        # Graph's own errors are JSON.
        r"unexpected status (403|404|407|511)( \([^)]*\))? with response:\s*<",
        Kind.PERMANENT,
        "what answered is a page, and not Microsoft Graph",
        "Check the proxy variables, and that no proxy and no security product stands between; "
        "then run it again.",
        source="–: a proxy's page",
    ),
    Rule(
        r"Authorization_RequestDenied|Insufficient privileges|unexpected status 403",
        Kind.PERMANENT,
        "the signed-in identity may not do this",
        "Give it the rights that `proself-mail preflight --stack STACK` names.",
        source="M",
    ),
    Rule(
        r"no (resource )?plugin 'pulumi-resource-azuread|unable to find .*azuread",
        Kind.PERMANENT,
        "the azuread plugin is not installed and cannot be downloaded here",
        "`pulumi plugin install resource azuread` where there is internet; against an embedded "
        f"tenant run `{leading('--ready-file F')}`.",
    ),
    Rule(
        r"CLI crashed: .*(?:(?:allocate|out of|summary) memory|pthread_create|OS thread|"
        r"unavailable)",
        Kind.PERMANENT,
        "the Pulumi CLI has no memory or threads left on this machine",
        "Raise its limits (a container's, `ulimit -a`), then run it again.",
        source="P",
    ),
    Rule(
        # gocloud.dev's writer, as its upload fails. An update that was under way keeps its lock.
        r"CLI crashed: .*, in gocloud\.dev/blob/azureblob\.\(\*writer\)\.Close",
        Kind.PERMANENT,
        "a write to the backend was refused or did not arrive",
        "See that what signs in to the storage account may write its blobs, and that the network "
        "reaches it. Then run it again, on this machine, which knows what was begun. If another "
        "run is said to hold the stack, that may be this one's lock: once no other runs, `pulumi "
        "cancel --stack STACK` removes it.",
        source="P: Azurite, stopped amid an update or answering 403",
    ),
    Rule(
        r"too many open files",
        Kind.PERMANENT,
        "there may be no more open files on this machine",
        "Raise its limits (a container's, `ulimit -n`), then run it again.",
        source="P: by `ulimit -n 32`",
    ),
    Rule(
        r"no space left on device|disk quota exceeded|file too large",
        Kind.PERMANENT,
        "there is no room left on a disk of this machine",
        "Make room where the state, the stack files and temporary files lie, then run it again.",
        source="P",
    ),
    Rule(
        r"[Rr]ead-only file system",
        Kind.PERMANENT,
        "what is to be written lies on a file system that can only be read",
        "Mount it to be written to, or choose another place (PULUMI_BACKEND_URL for the state, "
        "PULUMI_HOME for what Pulumi keeps), then run it again.",
        source="P",
    ),
    Rule(
        r"snapshot integrity (failure|error)",
        Kind.PERMANENT,
        "the engine refuses to use the stack's state",
        how_to_repair("STACK"),
        Refused,
        source="P",
    ),
    Rule(
        r"(load checkpoint|deserialize deployment): .*(invalid character|cannot unmarshal|"
        r"unexpected end of JSON input|unsupported checkpoint version|missing required)",
        Kind.PERMANENT,
        "the stack's state is not what this Pulumi CLI can read",
        f"If a newer Pulumi wrote it (`pulumi version`), use that one. Else {STATE_BEFORE}.",
        source="P",
    ),
    Rule(
        # Another machine made a secret, or imported something, after the look before the update.
        r"[Yy]our stack file is older than the state|"
        r"[Tt]he state holds what this program does not make|"
        r"whose windows open at .* a machine whose clock",
        Kind.PERMANENT,
        ends_as=Refused,
        source="–: the program's own, which brings its next step",
    ),
    Rule(
        r"marked for protection",
        Kind.PERMANENT,
        "an update would replace what a production stack protects",
        "`pulumi preview --diff --stack STACK` shows what asks for that: undo it.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"is protected|because it is protected",
        Kind.PERMANENT,
        "the stack's state protects what this would delete",
        "Think again. `pulumi state unprotect URN --stack STACK`, with the URN that these words "
        "name, lifts it from that alone; then try again.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        # The last of a lock's file that is empty or cut off; of a state there are words before it.
        r"currently locked by|stack is already locked|[Aa]nother update is currently in progress|"
        r"\Aunexpected end of JSON input",
        Kind.LOCKED,
        "another run holds this stack",
        "Wait for it to end. If it is surely gone, `pulumi cancel --stack STACK` removes its lock; "
        "never while it runs.",
        Refused,
        source="P (the first and the last), – (the third is Pulumi Cloud's)",
    ),
    Rule(
        r"unable to read PULUMI_CONFIG_PASSPHRASE_FILE",
        Kind.PERMANENT,
        "the file with the passphrase cannot be read",
        "Set PULUMI_CONFIG_PASSPHRASE_FILE to where it is, or unset it and set "
        f"PULUMI_CONFIG_PASSPHRASE: {TYPED_PASSPHRASE} lets you type it, unseen; then try again.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"\b(open|mkdir|stat|rename|remove) [^:]+: permission denied",
        Kind.PERMANENT,
        "this user may not read or write a file of this machine",
        "Give this user the rights on what these words name, which may be another's from a run "
        "with `sudo`, then run it again.",
        source="P",
    ),
    Rule(
        r"secrets manager for new stack: passphrase must be set",
        Kind.PERMANENT,
        "a passphrase is to encrypt the new stack's secrets, and none is set",
        HOW_TO_CHOOSE,
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"secrets manager for new stack",
        Kind.PERMANENT,
        "the secrets provider cannot be used",
        "Check the address of the key, and the sign-in and the rights on it; no stack was made.",
    ),
    Rule(
        # The one that an update encrypts by, which the stack's file tells of and not its state.
        r"get stack secrets manager: incorrect passphrase",
        Kind.PERMANENT,
        "the stack's file is of another passphrase",
        "Set PULUMI_CONFIG_PASSPHRASE to this stack's passphrase, in every shell: "
        f"{TYPED_PASSPHRASE} lets you type it, unseen. If that is set, bring the newest stack "
        "file (`git pull`): the passphrase was changed since this one. Then try again.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"incorrect passphrase|passphrase must be set|could not read passphrase|decrypt",
        Kind.PERMANENT,
        "the stack's secrets cannot be opened",
        "Set PULUMI_CONFIG_PASSPHRASE to this stack's passphrase, in every shell: "
        f"{TYPED_PASSPHRASE} lets you type it, unseen; then try again.",
        ConfigurationError,
    ),
    Rule(
        r"Pulumi program does not start: |[Ff]ailed to discover package requirements",
        Kind.PERMANENT,
        "Pulumi runs the program by a Python that has not this checkout's packages",
        "Unset PULUMI_PYTHON_CMD if it is set, which leads to another Python; `make setup` (or "
        "`uv sync`) brings the packages. Then run it again.",
        ConfigurationError,
        source="P: by another project's Python; the first words are ours",
    ),
    Rule(
        r"Pulumi CLI version \S+ does not satisfy|This Pulumi CLI is not of a supported version",
        Kind.PERMANENT,
        "the program needs another version of the Pulumi CLI",
        "`make setup` brings one that fits; or upgrade the `pulumi` on PATH.",
        ConfigurationError,
        source="P: `requiredPulumiVersion`; the second is the program's own",
    ),
    Rule(
        r"invalid YAML file|yaml: unmarshal errors|expected project to be an object",
        Kind.PERMANENT,
        "the stack's file or Pulumi.yaml is not what Pulumi can read",
        "Correct it, or bring it back from the repository's history "
        "(`git checkout HEAD -- Pulumi.yaml stacks`).",
        ConfigurationError,
        source="P",
    ),
    Rule(
        # On Pulumi Cloud they are of use, and it has no such words.
        r"does not support environments",
        Kind.PERMANENT,
        "the stack's file names an environment of Pulumi ESC, and this backend knows none",
        "Take `environment:` out of the stack's file (`stacks/Pulumi.STACK.yaml`) and give the "
        "keys that came from there by `pulumi config set KEY VALUE --plaintext --stack STACK`; "
        "then try again.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"organization name must be 'organization'",
        Kind.PERMANENT,
        "the stack's name is of an organization, and this backend has none",
        "Leave the organization away; `pulumi stack ls` lists the names that there are.",
        ConfigurationError,
        source="P",
    ),
    Rule(
        r"unable to open state directory|PULUMI_ACCESS_TOKEN must be set",
        Kind.PERMANENT,
        "there is no backend where the stacks are looked for",
        _BACKEND,
        ConfigurationError,
        source="P",
    ),
    Rule(
        # An update has opened it once: what fails then may pass.
        r"unable to open (bucket|state database)|could not list bucket|"
        r"read \"\.pulumi/meta\.yaml\"|[Pp]erforming HTTP request|[Mm]issing google credentials",
        Kind.LOST,
        "the backend cannot be opened",
        _BACKEND,
        source="P (a database, Pulumi Cloud, Google's), –",
    ),
    Rule(
        # The program looks up no other one than Exchange Online's.
        r"[Nn]o service principal found|[Ss]ervice [Pp]rincipal not found",
        Kind.PERMANENT,
        "this tenant has no service principal of Office 365 Exchange Online",
        "Use a tenant with Exchange Online mailboxes, or give one user a licence with Exchange "
        "Online and wait until it is there.",
        source="C",
    ),
    # Entra's own passing words, and then whatever else it says at a sign-in: some of its sentences
    # ("does not exist", "has expired") are a replica's or a token's in other mouths.
    Rule(
        r"AADSTS(90033|50033|90006|90012|90024|90055)\b|temporarily_unavailable|"
        r"HTTP status (429|5\d\d)",
        Kind.BUSY,
        source="M, codes but the first U",
    ),
    Rule(
        r"AADSTS70021",
        Kind.PERMANENT,
        "the tenant knows no federated credential for this job",
        _NO_TRUST,
        source="M",
    ),
    Rule(
        r"AADSTS70025\b",
        Kind.PERMANENT,
        "the application that the job signs in as trusts no job at all",
        "See that ARM_CLIENT_ID is the client ID of the pipeline's own identity, and that it has "
        f"federated credentials (`infra/pipeline` makes them). {_TAKES_MINUTES}",
        source="–",
    ),
    Rule(
        r"AADSTS700024\b",
        Kind.PERMANENT,
        "the job's ID token, or what a certificate has signed, is out of its time",
        "Run it again, for an ID token is good for some minutes only; and see that this machine's "
        "clock is right.",
        source="–",
    ),
    Rule(
        r"AADSTS\d",
        Kind.PERMANENT,
        "the tenant refuses the sign-in",
        "https://login.microsoftonline.com/error tells what the code means; mend it, then try "
        "again.",
        source="M",
    ),
    Rule(
        r"no Authorizer could be configured|could not configure AzureCli Authorizer|"
        r"[Pp]lease run 'az login'",
        Kind.PERMANENT,
        "the azuread plugin has nothing to sign in with",
        "Set ARM_CLIENT_ID and ARM_CLIENT_SECRET (not AZURE_CLIENT_ID and its like), in a pipeline "
        "ARM_USE_OIDC, or `az login --tenant TENANT`; against an embedded tenant "
        f"`{leading('--ready-file F')}` sets all. Then try again.",
        ConfigurationError,
        source="C (hashicorp/go-azure-sdk sdk/auth), U (hashicorp/terraform-provider-azuread#1250)",
    ),
    Rule(r"does not exist on type", Kind.PERMANENT),
    Rule(
        r"expected non-nil error with nil state",
        Kind.LAG,
        source="P: created, and its read came too early; nothing is in the state",
    ),
    Rule(r"reported that the resource did not exist while updating", Kind.LAG),
    Rule(r"does not reference a valid application object", Kind.LAG, source="C: a 400"),
    Rule(r"[Tt]imed out whilst waiting", Kind.LAG, source="P"),
    Rule(r"cannot be deleted or updated unless disabled first", Kind.LAG, source="C: a 400"),
    Rule(
        r"Permission entry already exists|MultipleObjectsWithSameKeyValue",
        Kind.EXISTS,
        source="U: a 409; a 400 in one report",
    ),
    Rule(
        r"resource with the ID .* already exists|already exists - to be managed",
        Kind.EXISTS,
        source="P",
    ),
    Rule(r"ConcurrencyViolation", Kind.CONFLICT, source="U"),
    Rule(
        r"InvalidAuthenticationToken|[Tt]oken (is|has) expired|status 401", Kind.EXPIRED, source="M"
    ),
    Rule(
        r"TooManyRequests|unexpected status (429|500|502|503|504)|ServiceUnavailable|"
        r"[Tt]hrottl|giving up after \d+ attempt",
        Kind.BUSY,
        source="M, C",
    ),
    Rule(
        r"Request_ResourceNotFound|does not exist or one of its queried|unexpected status 404|"
        r"was not found|does not exist",
        Kind.LAG,
        source="P, C",
    ),
    Rule(
        r"exited with non-zero exit code: -1\b",
        Kind.KILLED,
        source="P: any other code is of one that has told why",
    ),
    Rule(
        r"[Cc]onnection (reset|refused|aborted)|Remote end closed|broken pipe|unexpected EOF|"
        r"\bEOF\b|i/o timeout|context deadline exceeded|no such host|TLS handshake|"
        r"exited prematurely|error reading from server|server closed|response was nil|"
        r"IncompleteRead|ended by a signal|"
        # Go's, of HTTP/2 and of its client's own limits.
        r"connection lost|closed network connection|GOAWAY|stream error|Client\.Timeout|"
        # Go's on Windows, which itself goes on in the language of display.
        r"\b(connectex|wsarecv|wsasend|getaddrinfow): |"
        r"request canceled|unexpected status 408",
        Kind.LOST,
        source="P (the plugin died: exited prematurely, error reading from server), –",
    ),
    Rule(r"unexpected status 409", Kind.CONFLICT),
)
_RULES = tuple((re.compile(rule.pattern, re.DOTALL), rule) for rule in RULES)
_OF_UNKNOWN = Rule("", Kind.PERMANENT)


def of_command(words: str, stack: str = "STACK") -> Error:
    """Return the error of a command of the CLI that is no update, by the words that it ended with.

    It has tried nothing in the tenant, where `verify` would look.
    """
    return classify(words, stack=stack, unknown=_UNKNOWN_OF_COMMAND).error()


def classify(
    words: str, resource: str = "", stack: str = "STACK", unknown: str = _UNKNOWN
) -> Failure:
    """Say what the words of a diagnostic mean. Never raises; unknown words do not pass.

    Words of the program, an `Error` of ours on its way through the engine, bring their own next
    step; `stack` is named in any other, where it is known. `unknown` is that of words without one.
    """
    words, given = parted(words)
    said = _one_line(words)
    rule = next((each for pattern, each in _RULES if pattern.search(words)), _OF_UNKNOWN)
    own = _naming(stack, rule.next_step or unknown)
    next_step = _covered(given) or own  # whole: lines to be typed are in it
    return Failure(rule.kind, said, resource, rule.cause, next_step, rule.ends_as)


def _covered(words: str) -> str:
    return uncredentialed(" ".join(words.split()))


def _one_line(words: str) -> str:
    text = _covered(words)
    if quoted := _QUOTED.search(text):
        return quoted[0]
    text = _UNPROTECTING.sub("", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
