# A service of jobs: docker build -t diarize . ; how to run it: docs/guides/service.md#in-a-container
# The first stage installs into a virtual environment, the second one has that environment and nothing to build with.
FROM python:3.11-slim AS build
# The CPU build of torch: the one of the package index brings gigabytes of CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
WORKDIR /source
RUN python -m venv /opt/diarize
ENV PATH=/opt/diarize/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt pyproject.toml LICENSE MODEL_LICENSES.md README.md ./
RUN pip install -c constraints.txt --extra-index-url "$TORCH_INDEX" torch torchaudio
COPY diarize diarize
RUN pip install -c constraints.txt '.[serve]' && python -m compileall -q /opt/diarize

FROM python:3.11-slim
COPY --from=build /opt/diarize /opt/diarize
RUN useradd --system --uid 10001 --home-dir /nonexistent --no-create-home diarize \
    && install -d -o diarize -m 700 /data
ENV PATH=/opt/diarize/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER diarize
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(r.Request('http://127.0.0.1:8000/status', headers={'Authorization': 'Bearer ' + os.environ['DIARIZE_TOKEN']}), timeout=5)"]
# DIARIZE_TOKEN is needed: the port is reached from outside the container.
ENTRYPOINT ["diarize", "serve", "--output", "/data", "--host", "0.0.0.0", "--port", "8000"]
