# slod in a container: no shell tools needed at run time, no root, nothing written but /data.
ARG PYTHON=3.11

FROM docker.io/library/python:${PYTHON}-slim AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
# What changes rarely comes first, so that an edit of slod itself reinstalls nothing else.
COPY requirements/build.lock requirements/run.lock requirements/
RUN pip install --no-deps --require-hashes -r requirements/build.lock \
    && python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-deps --require-hashes --no-compile -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# pip has done its work; bytecode is made once here, because the root may be read-only later.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/venv/bin/pip install --no-deps --no-index --no-compile /wheels/*.whl \
    && /opt/venv/bin/pip uninstall --yes pip setuptools \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

FROM docker.io/library/python:${PYTHON}-slim
LABEL org.opencontainers.image.title="slod" \
      org.opencontainers.image.description="The SLO daemon" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/venv /opt/venv
COPY deploy/container/config.toml /etc/slod/config.toml
# A volume takes owner and mode of the folder below it, so a fresh one can be written to.
RUN install -d -o 65532 -g 65532 -m 0750 /data
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 9947
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9947/-/healthy', timeout=2)"]
ENTRYPOINT ["slod"]
CMD ["run", "-c", "/etc/slod/config.toml"]
