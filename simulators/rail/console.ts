import { writeFileSync } from "node:fs";
import { parseAmount } from "./currency.ts";
import type { Failure } from "./books.ts";
import type { SimulatedTransaction } from "./face.ts";
import { isFaultKind, type FaultKind } from "./faults.ts";
import type { RailSimulator } from "./rail-simulator.ts";
import { COMMANDS, countLines, deliveryLine, faultLines, promptLine, transactionLine } from "./screen.ts";

/** Said to the person who typed; nothing has happened. */
class WrongCommand extends Error {}

const SHOWN_MAX = 40;
const STATEMENT_MS = 48 * 3_600_000;
const FAILURES: readonly Failure[] = ["cancelled", "timed_out", "unreachable", "insufficient_funds", "limit"];

/** What a person may type at a running simulator. */
export interface RailConsole {
  /** Obeys one line and answers with what there is to say. */
  obey(line: string): string;
  /** The number by which a person calls this prompt. */
  numberOf(prompt: SimulatedTransaction): number;
}

export function makeRailConsole(simulator: RailSimulator, railsFile: () => string): RailConsole {
  const numbered: SimulatedTransaction[] = [];

  function numberOf(prompt: SimulatedTransaction): number {
    const known = numbered.indexOf(prompt);
    return known === -1 ? numbered.push(prompt) : known + 1;
  }

  function requireChannel(name: string | undefined) {
    const channel = simulator.channels.find((one) => one.name === name);
    if (channel !== undefined) return channel;
    throw new WrongCommand(`Name a channel: ${simulator.channels.map((one) => one.name).join(", ")}.`);
  }

  function requireAmount(text: string | undefined, currency: string): bigint {
    const amountMinor = parseAmount(text ?? "", currency);
    if (amountMinor === undefined || amountMinor === 0n) {
      throw new WrongCommand("An amount is a number above 0 such as 150 or 150.50.");
    }
    return amountMinor;
  }

  function requirePrompt(text: string | undefined): SimulatedTransaction {
    const prompt = /^[1-9]\d{0,5}$/.test(text ?? "") ? numbered[Number(text) - 1] : undefined;
    if (prompt === undefined) throw new WrongCommand("Name the prompt by its number; prompts lists them.");
    return prompt;
  }

  function requireFault(kind: string | undefined): FaultKind {
    if (kind !== undefined && isFaultKind(kind)) return kind;
    throw new WrongCommand("Name a kind of fault; faults lists them.");
  }

  function find(id: string | undefined): SimulatedTransaction {
    const every = simulator.channels.flatMap(({ name }) => simulator.transactions(name));
    const row = every.find((one) => one.id.toLowerCase() === id?.toLowerCase());
    if (row === undefined) throw new WrongCommand("Name a transaction by its reference; list shows them.");
    return row;
  }

  function decide(number: string | undefined, given: { failure?: Failure; amount?: string | undefined }): string {
    const prompt = requirePrompt(number);
    const amountMinor = given.amount === undefined ? undefined : requireAmount(given.amount, prompt.currency);
    if (!simulator.decide(prompt, { failure: given.failure, amountMinor }))
      throw new WrongCommand("It is over already.");
    return "";
  }

  const commands: Readonly<Record<string, (...words: readonly (string | undefined)[]) => string>> = {
    pay(...words) {
      const [channelName, account, amount, phone, ...name] = words;
      const { name: channel, currency } = requireChannel(channelName);
      if (!simulator.face(channel).payersMayBegin) throw new WrongCommand(`On ${channel} a payer must be asked first.`);
      if (account === undefined) throw new WrongCommand("Name the account, or - for none.");
      const amountMinor = requireAmount(amount, currency);
      if (!/^\+?[1-9]\d{6,14}$/.test(phone ?? "")) throw new WrongCommand("A phone is written +254712000101.");
      const payerName = name.length === 0 ? "Asha Otieno" : name.join(" ");
      const typed = account === "-" ? "" : account;
      simulator.pay({ channel, account: typed, amountMinor, phone: phone ?? "", payerName });
      return "";
    },
    prompts() {
      const lines = simulator.prompts().map((prompt) => promptLine(numberOf(prompt), prompt));
      return lines.length === 0 ? "Nobody is being asked." : lines.join("\n");
    },
    approve: (number, amount) => decide(number, { amount }),
    cancel(number, why = "cancelled") {
      const failure = FAILURES.find((one) => one === why);
      if (failure === undefined) throw new WrongCommand(`The reason is one of ${FAILURES.join(", ")}.`);
      return decide(number, { failure });
    },
    reverse(id, amount) {
      const row = find(id);
      const amountMinor = amount === undefined ? undefined : requireAmount(amount, row.currency);
      if (simulator.reverse(row, amountMinor) === undefined) throw new WrongCommand("That much cannot go back.");
      return "";
    },
    list(channelName) {
      const channels = channelName === undefined ? simulator.channels : [requireChannel(channelName)];
      const lines = channels.flatMap(({ name }) => simulator.transactions(name)).map(transactionLine);
      return lines.length === 0 ? "No transactions yet." : lines.slice(-SHOWN_MAX).join("\n");
    },
    deliveries() {
      const lines = simulator.deliveries.slice(-SHOWN_MAX).map(deliveryLine);
      return lines.length === 0 ? "No deliveries yet." : lines.join("\n");
    },
    statement(channelName, path) {
      const { name } = requireChannel(channelName);
      const to = new Date(simulator.now().getTime() + 1);
      const file = simulator.statement(name, { from: new Date(to.getTime() - STATEMENT_MS), to });
      if (file === undefined) return `The provider of ${name} gives no statement.`;
      if (path === undefined) return `${file.fileName}\n${new TextDecoder().decode(file.bytes)}`;
      writeFileSync(path, file.bytes);
      return `${path} holds ${file.fileName}.`;
    },
    fault(kind, share, channelName) {
      const fault = requireFault(kind);
      if (!/^(0|1|0?\.\d+|1\.0+)$/.test(share ?? "")) throw new WrongCommand("A share is a number from 0 to 1.");
      const channel = channelName === undefined ? undefined : requireChannel(channelName).name;
      simulator.setFault(fault, Number(share), channel);
      return `${fault} strikes with a share of ${String(Number(share))}${channel === undefined ? "" : ` on ${channel}`}.`;
    },
    next(kind, channelName) {
      const fault = requireFault(kind);
      simulator.failNext(requireChannel(channelName).name, fault);
      return `The next occasion on ${channelName ?? ""} meets ${fault}.`;
    },
    faults: faultLines,
    counts: () => countLines(simulator.counts()),
    rails: railsFile,
    help: () => COMMANDS,
  };

  return {
    obey(line) {
      const [word = "", ...rest] = line.trim().split(/\s+/);
      if (word === "") return "";
      const command = Object.hasOwn(commands, word) ? commands[word] : undefined;
      try {
        return command === undefined ? `There is no command "${word}". Type: help` : command(...rest);
      } catch (error) {
        if (error instanceof WrongCommand) return error.message;
        throw error;
      }
    },
    numberOf,
  };
}
