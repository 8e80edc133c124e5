#!/bin/sh
# Make the importers' test files again, by running each tool. See README.md for versions and for what each file is.
#
#   scripts/other_tools/make.sh DOSSIER OUT
#
# Run from the repository's root. LM_EVAL, GARAK, GARAK_OLD, MODELSCAN and PROMPTFOO name the tools' programs (each from an environment of its
# own); a tool that is not named is left out. Nothing but the loopback address is asked.
set -eu
dossier=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
root=$(pwd)
tasks=$root/scripts/other_tools/tasks
python=$root/.venv/bin/python
port=8089
work=$(mktemp -d)

"$python" -m scripts.other_tools.serve $port &
server=$!
trap 'kill $server; rm -rf "$work"' EXIT
for _ in $(seq 60); do
    curl --silent --fail "http://127.0.0.1:$port/health" >/dev/null && break
    sleep 1
done

neutral() { "$python" "$root/scripts/other_tools/neutral.py" "$1" "$out/$2"; }

# Every Eval Ever: our own export.
"$python" -m scripts.other_tools.every_eval_ever "$dossier" "$out/every_eval_ever.json"

# Inspect: from a repository of its own, so that the log names no other.
mkdir "$work/inspect" && cd "$work/inspect"
cp "$tasks/inspect_questions.py" "$tasks/questions.jsonl" .
evaluate() {
    LOCAL_API_KEY=none "$root/.venv/bin/inspect" eval "$@" --model openai-api/local/smollm2 \
        --model-base-url "http://127.0.0.1:$port/v1" --display plain
}
evaluate inspect_questions.py --log-dir whole --no-log-realtime
evaluate inspect_questions.py --log-dir json --no-log-realtime --log-format json
git init --quiet . && git add inspect_questions.py
git -c user.name=weighbridge -c user.email=weighbridge@example.org commit --quiet --message Tasks
cp "$tasks/inspect_troubled.py" . # and not committed: the sources are dirty
for trouble in unscored broken killed; do
    evaluate "inspect_troubled.py@$trouble" --log-dir $trouble --max-samples 1 || true
    neutral $trouble/*.eval inspect-$trouble.eval
done
neutral whole/*.eval inspect.eval
neutral json/*.json inspect.json

# lm-evaluation-harness: log-probabilities from the GGUF file through Transformers, and written answers from the endpoint.
if [ -n "${LM_EVAL:-}" ]; then
    mkdir -p "$work/lm_eval/tasks" && cd "$work/lm_eval"
    export HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_HOME="$work/hf" OPENAI_API_KEY=none
    cp "$tasks/questions.jsonl" .
    cp "$("$python" -c 'import os; from weighbridge.subject.demo import *; print(fetch_demo(DEMO_MODELS["smollm2"], cache_folder(os.environ)))')" .
    for name in general_knowledge general_knowledge_written; do
        sed 's/QUESTIONS_FILE/questions.jsonl/' "$tasks/$name.yaml" >tasks/$name.yaml
    done
    "$LM_EVAL" run --model hf --model_args pretrained=.,gguf_file=SmolLM2-135M-Instruct.Q4_1.gguf,dtype=float32 --device cpu \
        --include_path tasks --tasks weighbridge_general_knowledge --output_path whole
    neutral whole/*.json lm_eval.json
    for limit in 3 1; do
        "$LM_EVAL" run --model local-chat-completions --apply_chat_template --include_path tasks --limit $limit \
            --model_args model=smollm2,base_url=http://127.0.0.1:$port/v1/chat/completions \
            --tasks weighbridge_general_knowledge_written --output_path part$limit
    done
    neutral part3/*/*.json lm_eval-limited.json
    neutral part1/*/*.json lm_eval-one.json
fi

# garak: two probes with mild prompts; a generator that never answers; a run that is interrupted.
for garak in "${GARAK:-}" "${GARAK_OLD:-}"; do
    [ -n "$garak" ] || continue
    mkdir -p "$work/garak" && cd "$work/garak"
    export XDG_DATA_HOME="$work/garak" XDG_CACHE_HOME="$work/garak" OPENAICOMPATIBLE_API_KEY=none HF_HUB_OFFLINE=1
    if [ "$garak" = "${GARAK_OLD:-}" ]; then
        "$garak" --config "$tasks/garak_old.yaml" --report_prefix old
        neutral garak/garak_runs/old.report.jsonl garak-old.report.jsonl
        continue
    fi
    cp "$tasks/garak.yaml" "$tasks/garak_nothing.yaml" .
    "$garak" --config garak.yaml --report_prefix whole
    "$garak" --config garak_nothing.yaml --report_prefix nothing
    timeout --signal INT 14 "$garak" --config garak.yaml --report_prefix aborted || true
    neutral garak/garak_runs/whole.report.jsonl garak.report.jsonl
    neutral garak/garak_runs/nothing.report.jsonl garak-nothing.report.jsonl
    neutral garak/garak_runs/aborted.report.jsonl garak-aborted.report.jsonl
done

# ModelScan: a folder of four files, one clean file, and a folder in which it knows none.
if [ -n "${MODELSCAN:-}" ]; then
    mkdir -p "$work/modelscan" && cd "$work/modelscan"
    "$python" "$root/scripts/other_tools/model_folder.py" model
    mkdir clean nothing && cp model/plain.pkl clean && cp model/notes.txt nothing
    "$MODELSCAN" scan -p model -r json -o model.json --show-skipped || true
    "$MODELSCAN" scan -p clean -r json -o clean.json || true
    "$MODELSCAN" scan -p nothing -r json -o nothing.json || true
    neutral model.json modelscan.json
    neutral clean.json modelscan-clean.json
    neutral nothing.json modelscan-nothing.json
fi

# promptfoo: one provider that answers, one where nobody listens.
if [ -n "${PROMPTFOO:-}" ]; then
    mkdir -p "$work/promptfoo" && cd "$work/promptfoo"
    cp "$tasks/promptfooconfig.yaml" .
    PROMPTFOO_DISABLE_TELEMETRY=1 PROMPTFOO_DISABLE_UPDATE=1 PROMPTFOO_DISABLE_REMOTE_GENERATION=1 \
        PROMPTFOO_CONFIG_DIR="$work/promptfoo/home" PROMPTFOO_REQUEST_BACKOFF_MS=100 \
        "$PROMPTFOO" eval --no-cache --no-table --max-concurrency 1 -o results.json || true # failed assertions end with 100
    neutral results.json promptfoo.json
fi
