# A small image that runs as nobody in particular: no compiler, no pip, no root, a file system that may be read-only.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
RUN python -m venv /opt/build && python -m venv --without-pip /opt/wireproxy
COPY pyproject.toml setup.py README.md LICENSE ./
COPY protocols protocols
COPY rules rules
COPY wireproxy wireproxy
# what it needs goes into both: mypyc reads the types of what it compiles against (setup.py says what that is)
RUN /opt/build/bin/pip install 'setuptools>=77' mypy '.[store-postgres]' \
    && WIREPROXY_COMPILE=1 /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
    && /opt/build/bin/pip --python /opt/wireproxy/bin/python install "$(echo /wheels/*.whl)[store-postgres]"

FROM python:3.11-slim-bookworm
# 65532: the number that unprivileged images agree on
RUN groupadd --system --gid 65532 wireproxy \
    && useradd --system --uid 65532 --gid 65532 --no-create-home --home-dir /var/lib/wireproxy wireproxy \
    && install -d -o wireproxy -g wireproxy -m 0700 /var/lib/wireproxy \
    && install -d -m 0755 /etc/wireproxy
COPY --from=build /opt/wireproxy /opt/wireproxy
ENV PATH=/opt/wireproxy/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 WIREPROXY_CONFIG=/etc/wireproxy/wireproxy.toml
USER wireproxy
WORKDIR /var/lib/wireproxy
VOLUME /var/lib/wireproxy
EXPOSE 6432 6306
# health and metrics answer on the container's own loopback only
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9187/readyz', timeout=2)"]
# serve drains on SIGTERM
STOPSIGNAL SIGTERM
ENTRYPOINT ["wireproxy"]
CMD ["serve"]
