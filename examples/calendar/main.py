"""An agent that reads a person's calendar at another service, once they have allowed it."""

import os

import requests

import fixieai

CALENDAR_URL = os.environ.get("CALENDAR_URL", "http://127.0.0.1:8190")

BASE_PROMPT = "I tell people what is on their calendar. When I may not read it yet, I give them the link."

FEW_SHOTS = """
Q: What is on my calendar on Monday?
Ask Func[events]: Monday
Func[events] says: 10:00 Dentist, 19:00 Chess club
A: 10:00 Dentist, 19:00 Chess club

Q: What is on my calendar on Friday?
Ask Func[events]: Friday
Func[events] says: I may not read your calendar yet. Allow it here, and ask again: https://calendar.example/a?b=c
A: I may not read your calendar yet. Allow it here, and ask again: https://calendar.example/a?b=c
"""

agent = fixieai.CodeShotAgent(
    BASE_PROMPT,
    FEW_SHOTS,
    oauth_params=fixieai.OAuthParams(
        client_id="calendar-agent",
        client_secret=os.environ.get("CALENDAR_SECRET", "of-an-example"),
        auth_uri=f"{CALENDAR_URL}/authorize",
        token_uri=f"{CALENDAR_URL}/token",
        scopes=["calendar.read"],
    ),
)


@agent.register_func
def events(query: fixieai.Message, oauth_handler: fixieai.OAuthHandler) -> str:
    """What is on the person's calendar on one day of the week."""
    token = oauth_handler.user_token()
    if token is None:
        link = oauth_handler.get_authorization_url()
        return f"I may not read your calendar yet. Allow it here, and ask again: {link}"
    response = requests.get(
        f"{CALENDAR_URL}/events",
        params={"day": query.text.strip()},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    response.raise_for_status()
    return ", ".join(response.json()["events"]) or "Nothing."


if __name__ == "__main__":
    import calendar_service

    with calendar_service.running(port=8190):
        agent.serve("calendar")
