from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.inference.chat import ChatTemplate, Layout, Role, Segment, ThinkingFilter

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
)
ALTERNATING = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<turn>{{ m.role }}\n{{ m.content }}</turn>{% endfor %}<turn>model\n"
)
SYSTEM_LAST = (
    "{% for m in messages %}{% if m.role == 'user' %}"
    "[{% if loop.last and messages[0].role == 'system' %}{{ messages[0].content }} {% endif %}"
    "{{ m.content }}]"
    "{% elif m.role == 'assistant' %}{{ m.content }}{% endif %}{% endfor %}"
)
SYSTEMLESS = "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% endif %}{% endfor %}"


ONE: tuple[Role, ...] = ("system", "user")
TWO: tuple[Role, ...] = ("system", "user", "assistant", "user")
NAMES = {ONE: ("SYS", "USER"), TWO: ("SYS", "USER", "REPLY", "MORE")}


def layout(source: str | None, roles: tuple[Role, ...] = ONE, bos: str = "") -> Layout:
    return ChatTemplate(source, bos=bos, eos="").layout(roles)


def filled(source: str | None, roles: tuple[Role, ...] = ONE, bos: str = "") -> str:
    return "".join(
        segment.text if segment.message is None else NAMES[roles][segment.message]
        for segment in layout(source, roles, bos).segments
    )


class TestTemplate:
    def test_a_template_becomes_its_pieces(self) -> None:
        assert layout(CHATML + "{% endif %}").segments == (
            Segment("<|im_start|>system\n"),
            Segment(message=0),
            Segment("<|im_end|>\n<|im_start|>user\n"),
            Segment(message=1),
            Segment("<|im_end|>\n<|im_start|>assistant\n"),
        )

    def test_a_conversation_goes_on_behind_what_was_said(self) -> None:
        source = CHATML + "{% endif %}"
        assert filled(source, TWO).startswith(filled(source) + "REPLY<|im_end|>\n<|im_start|>user\nMORE")

    @pytest.mark.parametrize("source", [ALTERNATING, SYSTEMLESS])
    def test_a_template_without_a_system_role_gets_it_in_front_of_the_question(self, source: str) -> None:
        assert "SYS\n\nUSER" in filled(source, bos="<bos>")

    def test_a_template_without_a_system_role_keeps_the_turns(self) -> None:
        expected = "<turn>user\nSYS\n\nUSER</turn><turn>assistant\nREPLY</turn><turn>user\nMORE</turn>"
        assert filled(ALTERNATING, TWO) == expected + "<turn>model"

    def test_a_template_that_moves_the_system_message_to_the_end_gets_it_in_the_first_question(self) -> None:
        assert filled(SYSTEM_LAST, TWO) == "[SYS\n\nUSER]REPLY[MORE]"

    def test_a_template_for_a_single_question_gets_the_conversation_as_text(self) -> None:
        told = "User: USER\n\nAssistant: REPLY\n\nUser: MORE"
        assert filled(SYSTEMLESS, TWO) == f"[SYS\n\n{told}]"

    def test_the_models_own_tokens_are_given_to_the_template(self) -> None:
        assert filled(ALTERNATING, bos="<bos>").startswith("<bos><turn>user\n")

    @pytest.mark.parametrize(
        "source",
        [
            None,
            "no messages here",
            "{{ 1 / 0 }}",
            "{% for m in messages %}",
            "{{ messages[5].content }}",
            "{{ ''.__class__.__mro__ }}",
            "{{ messages.append(1) }}",
            "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
        ],
    )
    def test_an_unusable_template_is_replaced_by_blank_lines(self, source: str | None) -> None:
        assert filled(source) == "SYS\n\nUSER\n\n"
        assert filled(source, TWO) == "SYS\n\nUser: USER\n\nAssistant: REPLY\n\nUser: MORE\n\n"

    def test_a_model_that_can_be_asked_not_to_think_is_asked(self) -> None:
        qwen = CHATML + "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
        found = layout(qwen)
        assert found.segments[-1].text.endswith("<think>\n\n</think>\n\n")
        assert not found.opens_thinking

    def test_a_template_that_opens_a_thought_is_noticed(self) -> None:
        assert layout(CHATML + "<think>\n{% endif %}").opens_thinking


class TestThinking:
    @pytest.mark.parametrize(
        ("reply", "answer"),
        [
            ("Cats sleep.", "Cats sleep."),
            ("<think>\nHmm.\n</think>\n\nCats sleep.", "Cats sleep."),
            ("<think></think><think>more</think> Cats.", "Cats."),
            ("\n\n Cats.", "Cats."),
            ("<think>never ended", ""),
            ("</think>Cats.", "Cats."),
            ("<thing> and </thing>", "<thing> and </thing>"),
            ("Write <think> in angle brackets.", "Write <think> in angle brackets."),
            ("<thi", "<thi"),
            ("", ""),
        ],
    )
    @pytest.mark.parametrize("size", [1, 3, 100])
    def test_thoughts_are_left_out_however_the_reply_is_cut(self, reply: str, answer: str, size: int) -> None:
        taken = ThinkingFilter()
        pieces = [taken.feed(reply[start : start + size]) for start in range(0, len(reply), size)]
        assert "".join(pieces) + taken.finish() == answer

    def test_a_reply_that_begins_with_thoughts_starts_behind_them(self) -> None:
        taken = ThinkingFilter(thinking=True)
        assert taken.feed("so it is </think>Cats.") + taken.finish() == "Cats."

    @given(st.text(alphabet="<>/think \nx", max_size=60), st.integers(1, 5))
    def test_the_size_of_the_pieces_does_not_matter(self, reply: str, size: int) -> None:
        whole, cut = ThinkingFilter(), ThinkingFilter()
        pieces = [cut.feed(reply[start : start + size]) for start in range(0, len(reply), size)]
        assert "".join(pieces) + cut.finish() == whole.feed(reply) + whole.finish()
