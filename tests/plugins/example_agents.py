"""Few-shot agents, and what the few-shot model says as one of them."""

import re
from collections.abc import Iterator

from small_agents import DICE_SHOTS

from fixieai.llm.few_shot_model import next_step
from fixieai.protocol import few_shots
from fixieai.protocol.transcript import FewShot, Line, LineKind, Transcript

_SAYS = {
    LineKind.ASK_FUNC: LineKind.FUNC_SAYS,
    LineKind.FUNC_SAYS: LineKind.FUNC_SAYS,
    LineKind.ASK_AGENT: LineKind.AGENT_SAYS,
    LineKind.AGENT_SAYS: LineKind.AGENT_SAYS,
}


def read_agent(text: str) -> tuple[FewShot, ...]:
    return tuple(few_shots.parse(shot) for shot in re.split(r"\n\n(?=Q:)", text.strip()))


DICE = read_agent(DICE_SHOTS)
STOCK = read_agent("""
Q: What's the price of GOOG?
Ask Func[stock]: GOOG
Func[stock] says: 135.20
A: GOOG is trading at $135.20.

Q: How much more is GOOG than MSFT?
Ask Func[stock]: GOOG
Func[stock] says: 135.20
Ask Func[stock]: MSFT
Func[stock] says: 100
A: GOOG costs $35.20 more than MSFT.
""")
WEATHER = read_agent("""
Q: What's the weather in Paris?
Thought: I need the coordinates of Paris.
Ask Func[geocode]: Paris
Func[geocode] says: 48.85 2.35
Ask Func[weather]: 48.85 2.35
Func[weather] says: 18 degrees and sunny
A: It's 18 degrees and sunny in Paris.
Q: And tomorrow?
Thought: That is still about Paris.
Ask Func[forecast]: Paris
Func[forecast] says: rain
A: Tomorrow there will be rain in Paris.
""")
NOTES = read_agent("""
Q: Remember that my dog is called Rex
Ask Func[remember]: my dog is called Rex
Func[remember] says: That is note 1.
A: I'll remember that your dog is called Rex. That is note 1.

Q: What do you know about dogs?
Ask Func[recall]: dogs
Func[recall] says: my dog is called Rex
A: You told me: my dog is called Rex

Q: Forget everything
Ask Func[forget]: everything
Func[forget] says: 1 note is gone.
A: Done: 1 note is gone.

Q: Remind me to call Bob at 5pm
Ask Func[remind]: 5pm|call Bob
Func[remind] says: ok
A: I'll remind you to call Bob at 5pm.

Q: List my notes
Ask Func[notes]: all
Func[notes] says: - buy milk
  - call Bob
A: You have 2 notes:
  * buy milk
  * call Bob
""")
CALCULATOR = read_agent("""
Q: What is 12 * 7?
Ask Func[calculate]: 12 * 7
Func[calculate] says: 84
A: 12 * 7 = 84.

Q: Add 2, 3 and 5
Ask Func[add]: 2 3 5
Func[add] says: 10
A: The sum of 2, 3 and 5 is 10.

Q: Is 7 a prime number?
Ask Func[is_prime]: 7
Func[is_prime] says: true
A: Yes, 7 is prime.

Q: Is 8 a prime number?
Ask Func[is_prime]: 8
Func[is_prime] says: false
A: No, 8 is not prime.

Q: Convert 10 miles to kilometers
Ask Func[convert]: 10 miles kilometers
Func[convert] says: 16.09
A: 10 miles is 16.1 kilometers.
""")
HELPERS = read_agent("""
Q: What time is it in Tokyo?
Ask Agent[fixie/time]: What time is it in Tokyo?
Agent[fixie/time] says: It is 9:30 PM in Tokyo.
A: It is 9:30 PM in Tokyo.

Q: Draw a chart of GOOG
Ask Agent[chart]: GOOG, one year
Agent[chart] says: Here it is: #chart1
A: The chart of GOOG: #chart1

Q: I attack the goblin
Ask Agent[dice]: Roll a d20
Agent[dice] says: You rolled a 12!
Ask Func[strike]: You rolled a 12!
Func[strike] says: a hit
A: You attack the goblin with a 12: a hit!

Q: What is on my calendar today?
Func[fixie_local_datetime] says: 2023-05-01 10:00
Ask Func[calendar]: 2023-05-01
Func[calendar] says: 11:00 dentist
A: At 11:00 you have: dentist

Q: Book a table for 4 at 19:00
Ask Func[book]: {"guests": 4, "time": "19:00"}
Func[book] says: Table 12 is yours.
A: Done. Table 12 is yours.

Q: Send a mail to bob@example.com saying "See you at 5"
Ask Func[mail]: {"to": "bob@example.com", "text": "See you at 5"}
Func[mail] says: sent
A: Your mail to bob@example.com is sent.

Q: Who are you?
A: I am an agent of the tests.

Q: Say hello to Bob
A: Hello, Bob!

Q: What is the capital of France?
A: Paris
""")
AGENTS = {
    "dice": DICE,
    "stock": STOCK,
    "weather": WEATHER,
    "notes": NOTES,
    "calculator": CALCULATOR,
    "helpers": HELPERS,
}


def say(shots: tuple[FewShot, ...], lines: list[Line], base_prompt: str = "") -> FewShot:
    """The model's next lines, as whoever reads its text sees them."""
    return few_shots.parse(next_step(Transcript(base_prompt, shots, tuple(lines))))


def converse(shots: tuple[FewShot, ...], question: str, *replies: str) -> list[str]:
    """Asks of a conversation in which funcs and agents say these replies, and the answer."""
    lines = [Line(LineKind.QUERY, question)]
    said = []
    for reply in (*replies, None):
        new = say(shots, lines)
        action = new[-1]
        said.append(action.text)
        if action.kind is LineKind.RESPONSE or reply is None:
            break
        asked = new if action.kind in (LineKind.ASK_FUNC, LineKind.ASK_AGENT) else new[:-1]
        lines += [*asked, Line(_SAYS[action.kind], reply, action.name)]
    return said


def turns(shot: FewShot) -> Iterator[tuple[list[Line], FewShot]]:
    """What was said, and what the model wrote next; for a reply that nothing asked for, its beginning."""
    said: list[Line] = []
    written: list[Line] = []
    for line in shot:
        if line.kind is LineKind.THOUGHT:
            written.append(line)
        elif line.kind in _SAYS.values() or line.kind is LineKind.QUERY:
            if line.kind is not LineKind.QUERY and not written:
                yield list(said), (Line(line.kind, "", line.name),)
            said += [*written, line]
            written = []
        else:
            written.append(line)


def echo_agent(said: str, reply: str, answer: str) -> tuple[FewShot, ...]:
    return read_agent(f"Q: Say {said}\nAsk Func[echo]: {said}\nFunc[echo] says: {reply}\nA: {answer}")
