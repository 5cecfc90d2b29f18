# One image per service from one recipe: `docker build --build-arg SERVICE=ledger .`
# SERVICE=operations has the operator's commands: audit, why, cuts, parked, plan, meter, profile.
# SERVICE=tools with LOCK=requirements.lock builds what only a trial needs: street, sinks, tokens.

FROM python:3.11-slim-bookworm AS build
ARG SERVICE
ARG LOCK=locks/${SERVICE}.lock
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN test -n "${SERVICE}" || { echo "set --build-arg SERVICE=<name>" >&2; exit 1; }

# What builds the wheels comes from the same hashed lock; pip refuses if the list is incomplete.
COPY requirements.lock requirements.lock
COPY locks locks
RUN awk '/^[a-z]/ { keep = /^(editables|hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' \
        requirements.lock > builder.lock \
    && python -m venv /opt/builder \
    && /opt/builder/bin/pip install --require-hashes -r builder.lock

RUN python -m venv /opt/npms \
    && /opt/npms/bin/pip install --require-hashes --no-deps -r "${LOCK}"

COPY shared shared
COPY services services
COPY operations operations
COPY tools tools
# Commands bring along the services whose rules they ask: of plans and profiles, or of all.
RUN command="npms-${SERVICE}" \
    && case "${SERVICE}" in \
         tools) folders="services/* operations tools"; command=npms ;; \
         operations) folders="services/tariff services/meter-gateway operations" ;; \
         *) folders="services/${SERVICE}" ;; \
       esac \
    && for folder in shared ${folders}; do \
         /opt/builder/bin/pip wheel --no-deps --no-index --no-build-isolation -w wheels "./${folder}" \
         || exit 1; \
       done \
    && /opt/npms/bin/pip install --no-deps --no-index wheels/*.whl \
    && /opt/npms/bin/pip check \
    && /opt/npms/bin/pip uninstall --yes pip setuptools \
    && ln -s "${command}" /opt/npms/bin/service \
    && test -x /opt/npms/bin/service \
    && ln -s /var/lib/npms /opt/npms/lib/python3.11/.run


FROM python:3.11-slim-bookworm
ARG SERVICE
LABEL org.opencontainers.image.title="npms-${SERVICE}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/npms/bin:${PATH} PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN groupadd --gid 10001 npms \
    && useradd --uid 10001 --gid npms --no-create-home --home-dir /nonexistent \
               --shell /usr/sbin/nologin npms \
    && install --directory --owner npms --group npms /etc/npms /var/lib/npms
COPY --from=build /opt/npms /opt/npms
WORKDIR /opt/npms
USER 10001:10001
EXPOSE 8000 9000

# Alive means that the process answers; whether its database and broker do is /health/ready.
HEALTHCHECK --interval=10s --timeout=4s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9000/health/live', timeout=3)"]

ENTRYPOINT ["service"]
CMD ["run"]
