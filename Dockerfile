# Builds the image: docker build -t lens-exporter:0.1.0 .
# Everything is installed from wheels with recorded hashes; there is no compiler in either stage, and no pip in the second.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements-build.lock requirements-image.lock ./
# The virtual environment stands where it will stand in the image: its scripts name their interpreter.
RUN python -m venv --without-pip /opt/lens-exporter \
 && python -m pip install --require-hashes -r requirements-build.lock \
 && python -m pip --python /opt/lens-exporter/bin/python install --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md LICENSE ./
COPY lens_exporter lens_exporter
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m pip --python /opt/lens-exporter/bin/python install --no-deps --no-index /wheels/lens_exporter-*.whl

FROM python:${PYTHON}
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="lens-exporter" \
      org.opencontainers.image.description="Learns what normal looks like from Prometheus, alerts on anomalies, investigates with checked evidence" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
RUN groupadd --gid 10077 lens \
 && useradd --uid 10077 --gid lens --no-create-home --home-dir /var/lib/lens-exporter --shell /usr/sbin/nologin lens \
 && install -d -o lens -g lens -m 0750 /var/lib/lens-exporter \
 && python -m pip uninstall --yes --quiet --root-user-action=ignore pip setuptools wheel
COPY --from=build /opt/lens-exporter /opt/lens-exporter
ENV PATH=/opt/lens-exporter/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
# By number, so that Kubernetes can see that it is not root.
USER 10077:10077
# The default database is data/lens.db below it.
WORKDIR /var/lib/lens-exporter
VOLUME /var/lib/lens-exporter
EXPOSE 10077
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["lens-exporter", "health"]
ENTRYPOINT ["lens-exporter"]
# Open to other machines, so it wants to be told who may call: tokens, a web config file, or --web.allow-unauthenticated.
CMD ["run", "--web.listen-address=:10077"]
