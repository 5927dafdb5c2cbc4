from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire_engine.inference.chat import ChatTemplate, Segment, ThinkingFilter

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
)
ALTERNATING = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<turn>{{ m.role }}\n{{ m.content }}</turn>{% endfor %}<turn>model\n"
)
SYSTEMLESS = "{% for m in messages %}{% if m.role == 'user' %}[{{ m.content }}]{% endif %}{% endfor %}"


def roles(template: ChatTemplate) -> list[str]:
    return [segment.role for segment in template.segments]


def filled(template: ChatTemplate) -> str:
    return "".join({"system": "SYS", "user": "USER"}.get(s.role, s.text) for s in template.segments)


class TestTemplate:
    def test_a_template_becomes_its_pieces(self) -> None:
        template = ChatTemplate.render(CHATML + "{% endif %}", bos="", eos="")
        assert template.segments == (
            Segment("template", "<|im_start|>system\n"),
            Segment("system"),
            Segment("template", "<|im_end|>\n<|im_start|>user\n"),
            Segment("user"),
            Segment("template", "<|im_end|>\n<|im_start|>assistant\n"),
        )

    @pytest.mark.parametrize("source", [ALTERNATING, SYSTEMLESS])
    def test_a_template_without_a_system_role_gets_it_in_front_of_the_question(self, source: str) -> None:
        assert "SYS\n\nUSER" in filled(ChatTemplate.render(source, bos="<bos>", eos=""))

    def test_the_models_own_tokens_are_given_to_the_template(self) -> None:
        assert filled(ChatTemplate.render(ALTERNATING, bos="<bos>", eos="")).startswith("<bos><turn>user\n")

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
    def test_an_unusable_template_is_replaced_by_a_plain_one(self, source: str | None) -> None:
        assert ChatTemplate.render(source, bos="", eos="") == ChatTemplate.plain()

    def test_a_model_that_can_be_asked_not_to_think_is_asked(self) -> None:
        qwen = CHATML + "{% if enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
        template = ChatTemplate.render(qwen, bos="", eos="")
        assert template.segments[-1].text.endswith("<think>\n\n</think>\n\n")
        assert not template.opens_thinking

    def test_a_template_that_opens_a_thought_is_noticed(self) -> None:
        assert ChatTemplate.render(CHATML + "<think>\n{% endif %}", bos="", eos="").opens_thinking


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
