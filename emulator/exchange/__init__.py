"""Exchange Online's SMTP submission: who may send what, what is answered, misbehaviour."""
