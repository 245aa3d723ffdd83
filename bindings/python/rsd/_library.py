"""librsd.so through ctypes: the declarations of bindings/c/rsd.h, whose comments hold here too.

The library is loaded when it is first needed, not when the package is imported.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pathlib
import threading
from ctypes import POINTER, c_char_p, c_double, c_float, c_int, c_size_t, c_void_p

from ._errors import ModelNotFound, error_of

NATIVE = pathlib.Path(__file__).resolve().parent / "_native"

LOG_FUNCTION = ctypes.CFUNCTYPE(None, c_int, c_char_p, c_void_p)


class EngineOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("model", c_char_p),
        ("agent", c_char_p),
        ("policy", c_char_p),
        ("n_loras", c_size_t),
        ("loras", POINTER(c_char_p)),
        ("lora_scales", POINTER(c_float)),
        ("n_prompt_templates", c_size_t),
        ("prompt_templates", POINTER(c_char_p)),
        ("context_tokens", c_size_t),
        ("parallel", c_size_t),
        ("threads", c_int),
        ("gpu_layers", c_int),
        ("prompt_cache_mib", c_int),
        ("block_cache_mib", c_int),
        ("reuse_whole_prompts_only", c_int),
        ("longest_pass_ms", c_double),
        ("n_remote_urls", c_size_t),
        ("remote_urls", POINTER(c_char_p)),
        ("remote_server", c_char_p),
        ("remote_model", c_char_p),
        ("remote_api_key", c_char_p),
        ("models_folder", c_char_p),
        ("cache_folder", c_char_p),
        ("log", LOG_FUNCTION),
        ("log_data", c_void_p),
    ]


class RankerInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("model_name", c_char_p),
        ("context_tokens", c_size_t),
        ("parallel", c_size_t),
        ("max_passages", c_size_t),
        ("max_recommendations", c_size_t),
        ("reads_relevance", c_int),
    ]


class Request(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("query", c_char_p),
        ("n_history", c_size_t),
        ("history", POINTER(c_char_p)),
        ("n_candidates", c_size_t),
        ("texts", POINTER(c_char_p)),
        ("text_bytes", POINTER(c_size_t)),
        ("ids", POINTER(c_char_p)),
        ("previous", POINTER(c_size_t)),
    ]


class RankOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("decoder", c_char_p),
        ("budget", c_size_t),
        ("deadline_ms", c_double),
        ("top_n", c_size_t),
        ("draft", c_char_p),
        ("policy", c_char_p),
        ("max_text_tokens", c_size_t),
        ("long_texts", c_int),
        ("window_method", c_char_p),
        ("window_size", c_size_t),
        ("window_stride", c_size_t),
        ("keep_rounds", c_int),
        ("min_score", c_double),
    ]


class AnswerInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("decoder", c_char_p),
        ("budget", c_size_t),
        ("encodings", c_size_t),
        ("verified_prefix", c_size_t),
        ("prompt_tokens", c_size_t),
        ("tokens_encoded", c_size_t),
        ("tokens_reused", c_size_t),
        ("truncated_candidates", c_size_t),
        ("truncated_query", c_int),
        ("deadline_hit", c_int),
        ("relevance_is_probability", c_int),
        ("none_relevant", c_int),
        ("prefill_ms", c_double),
        ("decode_ms", c_double),
        ("agent_ms", c_double),
        ("total_ms", c_double),
        ("n_windows", c_size_t),
        ("window_size", c_size_t),
        ("confirmed_prefix", c_size_t),
        ("window_method", c_char_p),
    ]


class Round(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("window", c_size_t),
        ("n_items", c_size_t),
        ("items", POINTER(c_size_t)),
        ("n_proposed", c_size_t),
        ("proposal", POINTER(c_size_t)),
        ("accepted", c_size_t),
        ("known", c_size_t),
        ("n_rows", c_size_t),
        ("ms", c_double),
    ]


STRUCTS = {
    "rsd_engine_options": EngineOptions,
    "rsd_ranker_info": RankerInfo,
    "rsd_request": Request,
    "rsd_rank_options": RankOptions,
    "rsd_answer_info": AnswerInfo,
    "rsd_round": Round,
}

# name: the result's type, then the arguments'.
FUNCTIONS = {
    "rsd_version": (c_char_p,),
    "rsd_error_code": (c_int, c_void_p),
    "rsd_error_message": (c_char_p, c_void_p),
    "rsd_code_name": (c_char_p, c_int),
    "rsd_error_free": (None, c_void_p),
    "rsd_ranker_load": (c_void_p, POINTER(EngineOptions), POINTER(c_void_p)),
    "rsd_ranker_free": (None, c_void_p),
    "rsd_ranker_get_info": (c_void_p, c_void_p, POINTER(RankerInfo)),
    "rsd_answer_size": (c_size_t, c_void_p),
    "rsd_answer_order": (POINTER(c_size_t), c_void_p),
    "rsd_answer_n_listed": (c_size_t, c_void_p),
    "rsd_answer_listed": (POINTER(c_size_t), c_void_p),
    "rsd_answer_id": (c_char_p, c_void_p, c_size_t),
    "rsd_answer_relevance": (POINTER(c_double), c_void_p),
    "rsd_answer_raw_relevance": (POINTER(c_double), c_void_p),
    "rsd_answer_get_info": (c_void_p, c_void_p, POINTER(AnswerInfo)),
    "rsd_answer_n_rounds": (c_size_t, c_void_p),
    "rsd_answer_get_round": (c_void_p, c_void_p, c_size_t, POINTER(Round)),
    "rsd_answer_round_row": (POINTER(c_float), c_void_p, c_size_t, c_size_t),
    "rsd_answer_free": (None, c_void_p),
    "rsd_submit": (c_void_p, c_void_p, POINTER(Request), POINTER(RankOptions), POINTER(c_void_p)),
    "rsd_job_wait": (c_int, c_void_p, c_double),
    "rsd_job_cancel": (None, c_void_p),
    "rsd_job_take": (c_void_p, c_void_p, POINTER(c_void_p)),
    "rsd_job_free": (None, c_void_p),
}

_loading = threading.Lock()
_loaded: ctypes.CDLL | None = None


@contextlib.contextmanager
def _short_spinning():
    """As `rsd` does: the threads that compute sleep soon when they wait, so that they don't take the
    cores from other programs. Read once, when libgomp is loaded."""
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = "1000"
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


def library_path() -> str:
    """RSD_LIBRARY, or the library of the wheel."""
    path = os.environ.get("RSD_LIBRARY") or str(NATIVE / "lib" / "librsd.so")
    if not os.path.exists(path):
        raise ModelNotFound(
            f"the library of rsd is not at {path}; install the wheel that ./dev wheel makes, or set "
            "RSD_LIBRARY to a librsd.so", "not_found")
    return path


def library() -> ctypes.CDLL:
    """The loaded library, whose calls release the GIL."""
    global _loaded
    with _loading:
        if _loaded is None:
            with _short_spinning():
                loaded = ctypes.CDLL(library_path())
            for name, (result, *arguments) in FUNCTIONS.items():
                function = getattr(loaded, name)
                function.restype = result
                function.argtypes = arguments
            _loaded = loaded
    return _loaded


def check(error: int | None) -> None:
    """Raises what the error object says, and frees it; None is success."""
    if not error:
        return
    lib = library()
    code = lib.rsd_code_name(lib.rsd_error_code(error)).decode()
    message = lib.rsd_error_message(error).decode()
    lib.rsd_error_free(error)
    raise error_of(code, message)


def sized(struct: type[ctypes.Structure], **members) -> ctypes.Structure:
    """A struct with its size, and the given members."""
    return struct(struct_size=ctypes.sizeof(struct), **members)


def encoded(text: str | None, name: str) -> bytes | None:
    """UTF-8 without NUL, which would end the text in C."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a str, not {type(text).__name__}")
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError as fault:
        raise error_of("invalid_input", f"{name} is not valid Unicode: {fault.reason}") from None
    if b"\0" in data:
        raise error_of("invalid_input", f"{name} has a NUL character")
    return data


def strings(values, name: str):
    """A C array of the texts; NULL if there are none."""
    if not values:
        return None
    return (c_char_p * len(values))(*(encoded(value, f"{name}[{i}]") for i, value in enumerate(values)))


def count(value, name: str) -> int:
    """A number of which None is the default, 0 in C. The library checks the limits."""
    if value is None:
        return 0
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    number = value.__index__()
    if not 0 < number < 2**31:
        raise error_of("invalid_argument", f"{name} is {number}; it must be 1 to {2**31 - 1}")
    return number


