from gateway.bus import intake
from gateway.bus.connections import CurrentConnection
from gateway.bus.topics import Topics
from gateway.commands.answers import Answer, AnswerNote, CommandState, Reply, Source
from gateway.core.clock import ManualClock


class Dispatcher:
    """Hands its listener out."""

    def on_answer(self, listener):
        self.tell = listener
        return lambda: None


def test_answers_that_were_pushed_out_of_the_queue_are_counted(monkeypatch):
    monkeypatch.setattr(intake, "_MOST_WAITING", 3)
    clock, dispatcher = ManualClock(), Dispatcher()
    queue = intake.CommandIntake(dispatcher, None, None, None, Topics("duty"), clock, CurrentConnection())
    for number in range(5):
        answer = Answer(f"c-{number}", "tel.dial", CommandState.ACCEPTED, clock.wall())
        dispatcher.tell(AnswerNote("application:cad", Source.BUS, Reply(), answer))
    assert queue.answers_dropped == 2
