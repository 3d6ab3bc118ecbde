import { expect, test } from "vitest";
import { useOffice } from "./office.ts";

const { people } = useOffice();
const FIGURES = `query ($from: LocalDate!, $to: LocalDate!, $channel: String) {
  talkFigures(from: $from, to: $to, channel: $channel) { sessions hopsMean screens { screen } } }`;
const DAY = { from: "2026-03-01", to: "2026-03-01" };

test("the office reads how conversations go; an agent, who serves customers and runs no channel, does not", async () => {
  const { data } = await people.office.ask(FIGURES, { ...DAY, channel: "ussd" });
  expect(data).toEqual({ talkFigures: { sessions: 0, hopsMean: null, screens: [] } });
  expect((await people.kisumu.ask(FIGURES, DAY)).errors?.[0]?.extensions.code).toBe("FORBIDDEN");
});

test.each([
  { what: "a channel that there is none of", variables: { ...DAY, channel: "fax" }, says: /ussd, sms, whatsapp/ },
  { what: "days the wrong way round", variables: { from: "2026-03-02", to: "2026-03-01" }, says: /1 to 366 days/ },
  { what: "more than a year", variables: { from: "2024-03-02", to: "2026-03-01" }, says: /1 to 366 days/ },
])("whoever asks for $what is told what to ask for", async ({ variables, says }) => {
  const { errors } = await people.office.ask(FIGURES, variables);
  expect(errors?.[0]).toMatchObject({ message: expect.stringMatching(says) as unknown });
  expect(errors?.[0]?.extensions.code).toBe("INVALID_INPUT");
});
