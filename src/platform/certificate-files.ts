import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Certificate } from "./mqtt-listeners.ts";

export interface CertificateFiles {
  /** As it was when the program started. */
  readonly certificate: Certificate;
  /** Reads the files again, and tells when they are others. Runs every minute once started. */
  look(): void;
  start(): void;
  stop(): void;
}

/** A certificate that was renewed is in use within this time. */
const LOOK_MS = 60_000;

/** A certificate cannot be used; the message names the file and what to do. */
export class CertificateUnusable extends Error {
  constructor(problem: string, options?: ErrorOptions) {
    super(problem, options);
    this.name = "CertificateUnusable";
  }
}

/**
 * A certificate in two files that something else renews: a tool for Let's Encrypt, or a secret that is mounted. Looked at by content, since a
 * mounted secret changes by a link. While the files do not fit each other, because one of them is just being written or is broken,
 * the last pair that did stays in use. Throws CertificateUnusable when there is none to begin with.
 */
export function openCertificate({
  keyFile,
  certFile,
  onRenewed,
  onFault,
}: {
  keyFile: string;
  certFile: string;
  onRenewed(certificate: Certificate): void;
  onFault(error: unknown): void;
}): CertificateFiles {
  const certificate = readPair({ keyFile, certFile });
  let inUse = certificate;
  /** The same again every minute would be a log of nothing else. */
  let told = "";
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    try {
      const now = readPair({ keyFile, certFile });
      told = "";
      if (now.key === inUse.key && now.cert === inUse.cert) return;
      onRenewed(now);
      inUse = now;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== told) onFault(error);
      told = text;
    }
  }

  return {
    certificate,
    look,
    start() {
      timer ??= setInterval(look, LOOK_MS).unref();
    },
    stop: () => clearInterval(timer),
  };
}

function readPair({ keyFile, certFile }: { keyFile: string; certFile: string }): Certificate {
  const pair = { key: readText(keyFile), cert: readText(certFile) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new CertificateUnusable(
      `The key in "${keyFile}" and the certificate in "${certFile}" cannot be used together: both must be PEM without a password, and belong to each other.`,
      { cause: error },
    );
  }
  return pair;
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CertificateUnusable(`The file "${file}" cannot be read.`, { cause: error });
  }
}
