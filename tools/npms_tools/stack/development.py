"""What services must be told beyond database and broker, as a development machine has it."""

from npms_tools.stack.memory import Memory
from npms_tools.stack.ports import LOOPBACK

PEPPER, SMS_KEY, CODE_PEPPER = "voucher pepper", "sms key", "code pepper"
SMTP_PORT, SMS_PORT = "smtp sink", "sms sink"


def development_variables(memory: Memory) -> dict[str, dict[str, str]]:
    """By service. Mail and SMS go to sinks on remembered ports, whether or not anybody listens."""
    return {
        "meter-gateway": {
            "NPMS_METER_GATEWAY_ALLOWED_NETWORKS": "127.0.0.0/8",
            "NPMS_METER_GATEWAY_ALLOWED_PORTS": "1024-65535",
        },
        "payments": {"NPMS_PAYMENTS_VOUCHER_PEPPER": memory.secret(PEPPER)},
        "notifier": {
            "NPMS_NOTIFIER_SMTP_HOST": LOOPBACK,
            "NPMS_NOTIFIER_SMTP_PORT": str(memory.port(SMTP_PORT)),
            "NPMS_NOTIFIER_SMTP_SENDER": "credit@npms.example",
            "NPMS_NOTIFIER_SMTP_STARTTLS": "false",
            "NPMS_NOTIFIER_SMS_URL": f"http://{LOOPBACK}:{memory.port(SMS_PORT)}/sms",
            "NPMS_NOTIFIER_SMS_API_KEY": memory.secret(SMS_KEY),
            "NPMS_NOTIFIER_CODE_PEPPER": memory.secret(CODE_PEPPER),
        },
    }
