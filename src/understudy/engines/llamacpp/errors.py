"""What goes wrong between the adapter and llama.cpp, as the API's errors."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from understudy.engines.engine import BusyError
from understudy.engines.openai_compatible.errors import PromptTooLongError, UpstreamError, UpstreamTimeoutError, shown
from understudy.wire.errors import ApiError, InvalidRequestError

from .failures import LlamaError, LlamaGoneError, LlamaTimeoutError

# llama.cpp's own names for "not now": the model is still being loaded, or no memory is left for another sequence.
_BUSY: Final = frozenset({"unavailable_error"})
# Said where slots share one context and together have filled it. There is no type of its own for it.
_FULL: Final = "Context size has been exceeded"


def prompt_too_long(tokens: int, window: int) -> ApiError:
    """The API's text, out of which clients read the numbers."""
    return PromptTooLongError(f"prompt is too long: {tokens} tokens > {window} maximum")


def api_error(error: LlamaError) -> ApiError:
    """The error of a completion. What llama.cpp blames on the request is a 400, and all else its own failure."""
    if error.type == "exceed_context_size_error":
        tokens, window = error.details.get("n_prompt_tokens"), error.details.get("n_ctx")
        if isinstance(tokens, int) and isinstance(window, int):
            return prompt_too_long(tokens, window)
        return PromptTooLongError("prompt is too long")
    if error.status == 503 or error.type in _BUSY or (error.status == 500 and error.message.startswith(_FULL)):
        return BusyError()
    if error.status in {401, 403}:
        return UpstreamError("The model's server refused this server's credentials.", retry=False)
    if error.status in {400, 413, 422}:
        return InvalidRequestError(shown(error.message) or None)
    return UpstreamError()


@contextmanager
def as_api_errors() -> Generator[None]:
    """Raises what llama.cpp's connection raises as errors of the API."""
    try:
        yield
    except LlamaError as error:
        raise api_error(error) from error
    except LlamaTimeoutError as error:
        raise UpstreamTimeoutError from error
    except LlamaGoneError as error:
        raise UpstreamError("The model's server broke its answer off.") from error
