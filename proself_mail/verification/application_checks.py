"""The checks of `verify` on the application in Entra: as registered, consent, owners, drift.

Each is a pure function of the evidence. What could not be read is UNKNOWN, with the permission
that the reading needs. Secrets are `secret_checks`', mailbox and config file `mailbox_checks`'.
"""

from collections.abc import Sequence

from proself_mail import facts
from proself_mail.check import Check, Outcome, fail, ok
from proself_mail.config import stamp, time_limit
from proself_mail.config.settings import MAIL_PROOF_REDIRECT_URI, Environment, open_mail_proof
from proself_mail.config.stamp import Stamp
from proself_mail.entra.directory import ApplicationRecord, consented
from proself_mail.errors import ConfigurationError
from proself_mail.quantity import quantity
from proself_mail.schedule import format_instant
from proself_mail.stack.foreign import foreign_in_state, without_foreign
from proself_mail.stack.outputs import check_agreement
from proself_mail.stack.state import APPLICATION, CONSENT, IDENTIFIER_URI, SERVICE_PRINCIPAL
from proself_mail.stack.taint import tainted, untaint
from proself_mail.text.quotation import quoted
from proself_mail.update.leftovers import instead_of_making
from proself_mail.verification.evidence import Evidence, Unread
from proself_mail.verification.judging import (
    alive_instead,
    mended_by_refresh,
    of_application,
    unknown,
    up,
)

_GRANTS = "/oauth2PermissionGrants"
_PROTECTED = (APPLICATION, IDENTIFIER_URI, SERVICE_PRINCIPAL)
"""What the program has the engine protect for production."""
_LOOPBACK = ("http://localhost", "http://127.0.0.1", "http://[::1]")


def application(seen: Evidence) -> Check:
    """Look whether the application is there and is the one of the outputs."""
    name, found = "application", seen.application
    if isinstance(found, Unread):
        return unknown(name, found)
    if found is None:
        gone, known = seen.outputs.application_object_id, seen.state.application_id
        detail = f"the tenant has no application with the object ID {gone}"
        if known and (others := alive_instead(seen)):
            return fail(name, detail, instead_of_making(others, gone, seen.stack))
        another = mended_by_refresh(seen) if known else f"{up(seen)} makes one"
        return fail(
            name,
            detail,
            "if it was deleted within 30 days, restore it (Entra → App registrations → Deleted "
            f"applications); else {another}, with a new client ID for Proself",
        )
    if found.client_id != seen.outputs.client_id:
        return fail(
            name, f"its client ID is {found.client_id}, not {seen.outputs.client_id}", up(seen)
        )
    return ok(name, f"{quoted(found.display_name)} ({found.client_id})")


@of_application("account type")
def account_type(seen: Evidence, found: ApplicationRecord) -> Check:
    """Compare who may sign in (single or multi-tenant)."""
    wanted = seen.settings.audience.sign_in_audience
    if found.sign_in_audience == wanted:
        return ok("account type", f"{seen.settings.audience} ({wanted})")
    shown = f"{found.sign_in_audience}, not {wanted}"
    return fail("account type", shown, mended_by_refresh(seen))


@of_application("application ID URI")
def identifier_uri(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look for the Application ID URI."""
    wanted = f"api://{found.client_id}"
    if wanted in found.identifier_uris:
        return ok("application ID URI", wanted)
    return fail("application ID URI", f"{wanted} is missing", mended_by_refresh(seen))


@of_application("permissions")
def permissions(seen: Evidence, found: ApplicationRecord) -> Check:
    """Compare the delegated permissions of Exchange Online, by name."""
    name = "permissions"
    if isinstance(seen.exchange, Unread):
        return unknown(name, seen.exchange)
    if seen.exchange is None:
        return fail(
            name,
            f"the tenant has no {facts.EXCHANGE_ONLINE_NAME}",
            "give one user a licence with Exchange Online and wait until it is there",
        )
    names = {id_: value for value, id_ in seen.exchange.delegated_permissions.items()}
    ids = found.required_access.get(facts.EXCHANGE_ONLINE_APP_ID, frozenset())
    asked = {names.get(id_, id_) for id_ in ids}
    if missing := sorted(set(seen.settings.permissions) - asked):
        return fail(name, f"{', '.join(missing)} is missing", mended_by_refresh(seen))
    return ok(name, f"{facts.EXCHANGE_ONLINE_NAME}, delegated: {', '.join(sorted(asked))}")


def consent(seen: Evidence) -> Check:
    """Read the admin consent back."""
    name, settings, asked_in = "consent", seen.settings, seen.outputs.mailbox_tenant_id
    if asked_in != str(settings.mailbox_tenant):
        return fail(
            name,
            f"the last up asked for it in the tenant {asked_in}, and the mailbox's is "
            f"{settings.mailbox_tenant} now",
            up(seen),
        )
    if settings.mailbox_tenant != settings.tenant_id:
        return Check(
            name,
            Outcome.UNKNOWN,
            f"it is given in the mailbox's tenant {settings.mailbox_tenant}, and cannot be seen "
            "from here",
            required=False,
            permission="DelegatedPermissionGrant.Read.All in that tenant",
            next_step="its administrator, unless that was done, consents at "
            f"{seen.outputs.consent_url}",
        )
    for reading in (seen.grants, seen.exchange):
        if isinstance(reading, Unread):
            return unknown(name, reading, required=settings.manages_grant)
    granted = _granted(seen)
    missing = sorted(set(settings.permissions) - granted)
    if not missing:
        return ok(name, f"granted for everyone: {', '.join(sorted(granted))}")
    return fail(
        name,
        f"{', '.join(missing)} is not granted for everyone",
        mended_by_refresh(seen)
        if settings.manages_grant
        else f"let an administrator consent at {seen.outputs.consent_url}",
    )


def _granted(seen: Evidence) -> frozenset[str]:
    """Collect what everybody's grants on Exchange Online hold."""
    if isinstance(seen.grants, Unread) or isinstance(seen.exchange, Unread) or not seen.exchange:
        return frozenset()
    return consented(seen.grants or (), seen.exchange.object_id)


@of_application("redirect URI")
def redirect_uri(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look for Proself's redirect URI under Web."""
    wanted = seen.settings.redirect_uri
    if wanted in found.redirect_uris:
        return ok("redirect URI", wanted)
    there = ", ".join(map(quoted, found.redirect_uris)) or "none"
    return fail("redirect URI", f"{wanted} is missing; there is {there}", mended_by_refresh(seen))


@of_application("mail proof's redirect URI")
def loopback_redirect_uri(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look that a loopback redirect URI is there only while the mail proof is open."""
    name, settings = "mail proof's redirect URI", seen.settings
    uris = (*found.redirect_uris, *found.other_redirect_uris)
    left = [uri for uri in uris if uri.startswith(_LOOPBACK)]
    until = settings.mail_proof_until
    if until is not None and settings.proves_mail(seen.at):
        if settings.proves_mail_too_long(seen.at):
            return fail(
                name,
                f"`mailProofUntil` is {format_instant(until)}, so far ahead that `up` refuses it",
                f"`{open_mail_proof(seen.stack, seen.at)}`, then {up(seen)}",
            )
        if MAIL_PROOF_REDIRECT_URI not in found.redirect_uris:
            return fail(name, f"{MAIL_PROOF_REDIRECT_URI} is not registered yet", up(seen))
        left.remove(MAIL_PROOF_REDIRECT_URI)
    if left:
        return fail(
            name,
            f"a sign-in may still be sent to this machine's {', '.join(map(quoted, left))}",
            f"{up(seen)}, which removes it" if left == [MAIL_PROOF_REDIRECT_URI]
            else mended_by_refresh(seen),
        )  # fmt: skip
    if until is not None and settings.proves_mail(seen.at):
        return ok(name, f"open until {format_instant(until)}")
    return ok(name, "none is left")


def service_principal(seen: Evidence) -> Check:
    """Look whether the service principal is there and lets users sign in."""
    name, found = "service principal", seen.principal
    if isinstance(found, Unread):
        return unknown(name, found)
    if found is None:
        return fail(name, "the tenant has none for this application", mended_by_refresh(seen))
    if not found.enabled:
        return fail(
            name,
            "it is disabled: nobody can sign in to the application",
            "Entra → Enterprise applications → the application → Properties → “Enabled for users "
            "to sign-in?” Yes",
        )
    return ok(name, f"enabled ({found.object_id})")


def owners(seen: Evidence) -> Check:
    """Compare the application's owners with the configuration."""
    name, found = "owners", seen.owners
    if isinstance(found, Unread):
        return unknown(name, found)
    if found is None:
        return Check(name, Outcome.UNKNOWN, "the application is not there")
    wanted = {str(owner) for owner in seen.settings.owners}
    differing = [
        *(f"{each} is missing" for each in sorted(wanted - found)),
        *(f"{each} owns it too" for each in sorted(found - wanted)),
    ]
    if differing:
        return fail(name, "; ".join(differing), mended_by_refresh(seen))
    return ok(name, f"exactly the {len(wanted)} configured")


@of_application("stamp")
def stamped(seen: Evidence, found: ApplicationRecord) -> Check:
    """Compare the stamp on the application and on its service principal."""
    name, settings = "stamp", seen.settings
    wanted = Stamp(settings.stack_id, settings.environment, settings.delete_after)
    wrong = [] if stamp.read(found.tags) == wanted else ["the application's"]
    principal = seen.principal
    if principal and not isinstance(principal, Unread) and stamp.read(principal.tags) != wanted:
        wrong.append("the service principal's")
    if wrong:
        return fail(name, f"{' and '.join(wrong)} differs from the stack", mended_by_refresh(seen))
    return ok(name, f"stack {settings.stack_id}, {settings.environment}")


def until(seen: Evidence) -> Check:
    """Look whether a sweep may remove what the stack made, by the stamp that it reads, if seen."""
    found, borne = seen.application, seen.state.stamp
    if isinstance(found, ApplicationRecord):
        borne = stamp.read(found.tags)
        if borne is None:
            return ok(time_limit.NAME, "none: no sweep removes what bears no whole stamp")
    return time_limit.judge(seen.stack, seen.settings, borne, seen.at)


def leftovers(seen: Evidence) -> Check:
    """Look for other applications that bear the stack's stamp, and for what the state would do."""
    name, found = "left by earlier runs", seen.stamped
    if marked := seen.state.tainted:
        return fail(name, tainted(marked), f"`{untaint(seen.stack, marked)}` keeps what is there")
    if isinstance(found, Unread):
        return unknown(name, found)
    replaced = sorted(seen.state.replaced_applications)
    known = {seen.outputs.application_object_id, *replaced}
    others = [each for each in found or () if each.object_id not in known]
    if not others and not seen.state.pending and not replaced:
        return ok(name, "nothing")
    shown = [f"application {each.object_id}, which no state knows" for each in others]
    shown += [f"application {each}, which was replaced and is not deleted yet" for each in replaced]
    shown += [f"{each} was cut short" for each in seen.state.pending]
    return fail(name, "; ".join(shown), f"{up(seen)}, which adopts or removes it, or says why not")


def foreign_resources(seen: Evidence) -> Check:
    """Look for what the state holds and the program does not declare."""
    name, found = "foreign resources", seen.state.foreign
    if not found:
        return ok(name, "none in the state")
    return fail(name, foreign_in_state(found), without_foreign(seen.stack, found))


def recorded(seen: Evidence) -> Check:
    """Look whether the state holds what was made, and its outputs tell of all its secrets."""
    name = "state"
    try:
        check_agreement(seen.state, seen.stack)
    except ConfigurationError as error:
        return fail(name, error.cause.rstrip("."), error.next_step.rstrip("."))
    made = [APPLICATION, IDENTIFIER_URI, SERVICE_PRINCIPAL]
    made += [CONSENT] if seen.settings.manages_grant else []
    if lost := [each for each in made if each not in seen.state.resources]:
        return fail(name, f"it does not hold {', '.join(lost)}", f"{up(seen)} takes that in again")
    return ok(name, "agrees with its outputs")


def protection(seen: Evidence) -> Check:
    """Look whether the engine refuses to delete what a stack for production has made."""
    name, state = "protection", seen.state
    if seen.settings.environment is not Environment.PRODUCTION:
        count = len(state.protected)
        found = f"of {quantity(count, 'resource')} until the next update" if count else "none"
        return ok(name, f"{found}, for the stack is for {seen.settings.environment}")
    held = [each for each in _PROTECTED if each in state.resources]
    if unlocked := [each for each in held if each not in state.protected]:
        return fail(
            name,
            f"it is lifted from {', '.join(unlocked)}: `pulumi destroy --stack {seen.stack}` would "
            "delete that, though the stack is for production",
            f"{up(seen)} puts it back",
        )
    return ok(name, f"the engine refuses to delete {', '.join(held)}")


@of_application("drift")
def drift(seen: Evidence, found: ApplicationRecord) -> Check:
    """Look for whatever else differs from what the stack made."""
    differing = [(each, mended_by_refresh(seen)) for each in _differing(seen, found)]
    differing += _further_consents(seen)
    if differing:
        steps = dict.fromkeys(step for _, step in differing)
        return fail("drift", "; ".join(shown for shown, _ in differing), "; ".join(steps))
    return ok("drift", "none seen")


def _further_consents(seen: Evidence) -> Sequence[tuple[str, str]]:
    """Return what was consented to beyond the stack's permissions, each with what takes it away.

    The engine knows the one grant on Exchange Online that the program declares, and no other.
    """
    if isinstance(seen.grants, Unread) or isinstance(seen.exchange, Unread) or not seen.exchange:
        return ()
    wanted, by_administrator = set(seen.settings.permissions), facts.CONSENT_TAKEN_AWAY
    step = mended_by_refresh(seen) if seen.settings.manages_grant else by_administrator
    found = [(f"consent to {name} too", step) for name in sorted(_granted(seen) - wanted)]
    for grant in seen.grants or ():
        if grant.resource_id != seen.exchange.object_id:
            one_users = (
                f"an administrator takes it away: Graph's `DELETE {_GRANTS}/{grant.grant_id}`"
            )
            step = by_administrator if grant.principal_id is None else one_users
            found.append((f"consent to another service than {facts.EXCHANGE_ONLINE_NAME}", step))
    return found


def _differing(seen: Evidence, found: ApplicationRecord) -> Sequence[str]:
    settings, differing = seen.settings, []
    if found.display_name != settings.display_name:
        differing.append(f"its name is {quoted(found.display_name)!r}")
    if found.access_token_version != 2:
        differing.append(f"its access token version is {found.access_token_version}, not 2")
    extra = set(found.identifier_uris) - {f"api://{found.client_id}"}
    differing += [f"further Application ID URI {quoted(uri)}" for uri in sorted(extra)]
    expected = (settings.redirect_uri, MAIL_PROOF_REDIRECT_URI)  # the latter has its own check
    uris = (*found.redirect_uris, *found.other_redirect_uris)
    foreign = [uri for uri in uris if uri not in expected and not uri.startswith(_LOOPBACK)]
    differing += [f"further redirect URI {quoted(uri)}" for uri in foreign]
    resources = set(found.required_access) - {facts.EXCHANGE_ONLINE_APP_ID}
    differing += [f"asks for permissions of {resource}" for resource in sorted(resources)]
    if seen.exchange and not isinstance(seen.exchange, Unread):
        offered = seen.exchange.delegated_permissions
        wanted = {offered[name] for name in settings.permissions if name in offered}
        names = {id_: name for name, id_ in offered.items()}
        asked = found.required_access.get(facts.EXCHANGE_ONLINE_APP_ID, frozenset())
        differing += [f"asks for {names.get(i, i)} too" for i in sorted(asked - wanted)]
    if seen.outputs.redirect_uri != settings.redirect_uri:
        differing.append("the configuration's `server` has changed since the last up")
    return differing
