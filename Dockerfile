# The running program: TypeScript that Node runs as it stands, production packages, and nothing to build with.
# Its stores stand elsewhere (docker-compose.yml shows them), so the embedded PostgreSQL and the pinned Node of a laptop
# are left out with the other optional packages.

FROM node:24-alpine AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete
# The explorer page comes bundled in ruru/static; the parts it was bundled from weigh half of everything and never load.
RUN cd node_modules \
 && rm -rf monaco-editor monaco-graphql graphiql @graphiql react-aria @react-aria react-stately @react-stately prettier react-dom

FROM alpine:3.22
RUN apk add --no-cache libstdc++ && adduser -D -H -u 10001 washa
COPY --from=packages /usr/local/bin/node /usr/local/bin/node
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json LICENSE NOTICE ./
COPY migrations ./migrations
COPY schema.graphql ./
COPY simulators ./simulators
COPY src ./src
ENV NODE_ENV=production
USER washa
EXPOSE 4000 1883
# Node itself is process 1, so SIGTERM reaches the program, which then finishes what it holds.
# Frames and callbacks live until their commit, longer than a small young generation lasts.
ENTRYPOINT ["node", "--max-semi-space-size=64", "--no-allocation-site-pretenuring", "src/main.ts"]
CMD ["serve"]
