"""A mail as Proself sends it: the mailbox's sign-in, SMTP by XOAUTH2, the proof of both."""
