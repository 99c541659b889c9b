"""Verbs that turn what is on a wire into words and back, without a gateway."""

import json
import secrets

import click

from gateway.app.cli import main
from gateway.app.verbs.decode import decode


@main.group()
def encode() -> None:
    """Make a message as it is on a wire."""


@decode.command("sms")
@click.argument("pdu", metavar="HEX")
def decode_sms(pdu: str) -> None:
    """Decode a SUBMIT, DELIVER or STATUS-REPORT, with or without the service centre's address."""
    from sms.describe import describe
    from sms.pdu import decode as decode_pdu
    from sms.pdu import from_hex

    click.echo(json.dumps(describe(decode_pdu(from_hex(pdu))), ensure_ascii=False))


@encode.command("sms")
@click.option("--to", "recipient", required=True, metavar="NUMBER", help="With + before an international number.")
@click.option("--text", required=True, help="What is to be sent.")
@click.option("--centre", help="The service centre's number. Without it: the one in the SIM.")
@click.option("--class", "message_class", type=click.IntRange(0, 3), help="Message class; 0 is flash.")
@click.option("--validity", "validity_s", type=click.IntRange(min=300), help="Seconds for which the network may try.")
@click.option("--report", is_flag=True, help="Ask for a status report.")
@click.option("--wide", is_flag=True, help="Concatenate by a 16-bit reference.")
@click.option("--reference", type=click.IntRange(0, 0xFFFF), help="Concatenation reference. Without it: random.")
def encode_sms(  # noqa: PLR0917  # one argument for each option
    recipient: str,
    text: str,
    centre: str | None,
    message_class: int | None,
    validity_s: int | None,
    report: bool,  # noqa: FBT001  # click passes options by keyword
    wide: bool,  # noqa: FBT001
    reference: int | None,
) -> None:
    """Encode a text as SUBMITs, one for each segment; "length" is what AT+CMGS is given."""
    from sms import address, pdu, segments, times

    bound = 0xFFFF if wide else 0xFF
    if reference is not None and reference > bound:
        raise click.BadParameter(f"at most {bound}, or give --wide", param_hint="--reference")
    to = address.number(recipient)
    smsc = None if centre is None else address.number(centre)
    validity = None if validity_s is None else times.relative(validity_s)
    chosen = secrets.randbelow(bound + 1) if reference is None else reference
    answers = []
    for data in segments.split(text, wide=wide).user_data(chosen, message_class=message_class, wide=wide):
        submit = pdu.Submit(recipient=to, data=data, validity=validity, report_requested=report, centre=smsc)
        answers.append({"pdu": pdu.encode(submit).hex().upper(), "length": len(pdu.encode_tpdu(submit))})
    click.echo(json.dumps(answers))
