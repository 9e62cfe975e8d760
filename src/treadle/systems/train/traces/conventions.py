"""What other libraries call the inputs, outputs, model and tokens of a span, said in MLflow's words.

Exporters of OpenTelemetry follow one of several conventions. A span keeps what it came with; what it lacks in MLflow's
own names is added, so that lists, previews and sums read one name. Attributes are JSON text, as they are kept.
Source: OpenTelemetry semantic conventions for generative AI; OpenInference; OpenLLMetry (Traceloop).
"""

from __future__ import annotations

import json

_KINDS = {
    "openinference.span.kind": {
        name: name
        for name in ("CHAIN", "LLM", "TOOL", "AGENT", "EMBEDDING", "RETRIEVER", "RERANKER", "GUARDRAIL", "EVALUATOR")
    }
    | {"UNKNOWN": "UNKNOWN"},
    "traceloop.span.kind": {"workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL"},
    "gen_ai.operation.name": {
        "chat": "CHAT_MODEL",
        "create_agent": "AGENT",
        "embeddings": "EMBEDDING",
        "execute_tool": "TOOL",
        "generate_content": "LLM",
        "invoke_agent": "AGENT",
        "text_completion": "LLM",
        "response": "LLM",
    },
}
_INPUTS = ("input.value", "traceloop.entity.input", "gen_ai.input.messages", "gen_ai.tool.call.arguments")
_OUTPUTS = ("output.value", "traceloop.entity.output", "gen_ai.output.messages", "gen_ai.tool.call.result")
_MODELS = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "embedding.model_name")
_PROVIDERS = ("gen_ai.provider.name", "gen_ai.system", "llm.provider")
_TOKENS = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"),
    "total_tokens": ("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),
}
_FOREIGN = ("gen_ai.", "openinference.", "traceloop.", "llm.", "input.value", "output.value")
_UNKNOWN = (None, '"UNKNOWN"')


def translate(attributes: dict[str, str]) -> dict[str, str]:
    """The attributes, and beside them what is missing under MLflow's own names."""
    if not any(key.startswith(_FOREIGN) for key in attributes):
        return attributes
    found = dict(attributes)
    kind = _kind(attributes)
    if kind is not None and attributes.get("mlflow.spanType") in _UNKNOWN:
        found["mlflow.spanType"] = json.dumps(kind)
    for name, sources in (
        ("mlflow.spanInputs", _INPUTS),
        ("mlflow.spanOutputs", _OUTPUTS),
        ("mlflow.llm.model", _MODELS),
        ("mlflow.llm.provider", _PROVIDERS),
    ):
        said = _first(attributes, sources)
        if name not in attributes and said is not None:
            found[name] = said
    if "mlflow.chat.tokenUsage" not in attributes and (usage := _usage(attributes)):
        found["mlflow.chat.tokenUsage"] = json.dumps(usage)
    return found


def _kind(attributes: dict[str, str]) -> str | None:
    for key, names in _KINDS.items():
        said = attributes.get(key)
        if said is not None:
            return names.get(str(json.loads(said)))
    return None


def _first(attributes: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((said for name in names if (said := attributes.get(name))), None)


def _usage(attributes: dict[str, str]) -> dict[str, int]:
    usage = {
        name: count for name, sources in _TOKENS.items() if (count := _count(_first(attributes, sources))) is not None
    }
    if "input_tokens" in usage and "output_tokens" in usage:
        usage.setdefault("total_tokens", usage["input_tokens"] + usage["output_tokens"])
        return usage
    return {}


def _count(text: str | None) -> int | None:
    try:
        value = json.loads(text or "null")
        return None if value is None or isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
