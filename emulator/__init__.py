"""The embedded tenant: Entra sign-in and Microsoft Graph on loopback, for rehearsals and tests.

It imports nothing of the product and shares no constant with it, so that one wrong fact cannot
pass on both sides.
"""
