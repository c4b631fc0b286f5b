"""Instants as a person reads them: by this machine's calendar and clock, in both languages."""

from datetime import datetime

from proself_mail.diagnosis.refusal import Text

_WEEKDAYS = "月火水木金土日"


def day(instant: datetime) -> Text:
    """Write the day of an instant."""
    local = instant.astimezone()
    return Text(
        f"{local.year}年{local.month}月{local.day}日({_WEEKDAYS[local.weekday()]})",
        f"{local.day} {local:%B %Y}",
    )


def hour(instant: datetime) -> str:
    """Write the hour of an instant, with its distance from UTC."""
    local = instant.astimezone()
    distance = local.isoformat()[-6:] if local.utcoffset() else ""
    return f"{local:%H:%M} UTC{distance}"


def day_and_hour(instant: datetime) -> Text:
    """Write both, of an end that somebody has to act before."""
    date, time = day(instant), hour(instant)
    return Text(f"{date.ja} {time}", f"{date.en}, {time}")
