import type { Texts } from "./texts.ts";

export const swahili: Texts = {
  token_received: ({ amount, token, days, account }) =>
    `Tumepokea ${amount}. Tokeni: ${token}. Iingize kwenye kifaa chako upate siku ${days}. Akaunti ${account}.`,
  tokens_received: ({ amount, tokens, days, account }) =>
    `Tumepokea ${amount}. Tokeni: ${tokens}. Ziingize kwa mpangilio huu upate siku ${days}. Akaunti ${account}.`,
  light_coming: ({ amount, days, account }) =>
    `Tumepokea ${amount}. Mwanga wako wa siku ${days} unakuja wenyewe, usiingize chochote. Akaunti ${account}.`,
  light_did_not_come: ({ tokens, days, account }) =>
    `Hatukuweza kufikia kifaa chako. Tafadhali ingiza mwenyewe upate siku ${days}. Tokeni: ${tokens}. Akaunti ${account}.`,
  payment_held: ({ amount, missing, account }) =>
    `Tumepokea ${amount} ya akaunti ${account}. Haitoshi kupata tokeni, imehifadhiwa kwa ajili yako. Ongeza ${missing} upate mwanga.`,
  unlocked: ({ amount, token, account }) =>
    `Tumepokea ${amount}. Akaunti ${account} imelipwa yote! Tokeni: ${token}. Iingize na kifaa chako kitawaka daima. Asante.`,
  payment_debt: ({ amount, debt, account }) =>
    `Tumepokea ${amount} ya akaunti ${account}. Imepunguza deni lako. Lipa ${debt} zaidi ili upate siku mpya.`,
  account_unknown: ({ amount, reference }) =>
    `Tumepokea ${amount}, lakini hakuna akaunti ${reference}. Pesa yako iko salama. Tafadhali tupigie na namba ya akaunti yako.`,
  payment_refundable: ({ amount, account }) =>
    `Tumepokea ${amount} ya akaunti ${account}, ambayo imeshalipwa yote. Unaweza kurudishiwa pesa hii: tafadhali tupigie.`,
  payment_taken_back: ({ amount, account }) =>
    `${amount} zilizolipwa kwa akaunti ${account} zimerudishwa kwa mlipaji. Hudaiwi chochote kwa hilo.`,
  payment_taken_back_debt: ({ amount, debt, account }) =>
    `${amount} zilizolipwa kwa akaunti ${account} zimerudishwa kwa mlipaji. Unadaiwa ${debt}: malipo yajayo yatalipa deni hilo kwanza. Taa yako inabaki kuwaka.`,
  payment_moved: ({ amount, account }) =>
    `${amount} zilizofika kwenye akaunti ${account} kimakosa zimeondolewa. Hudaiwi chochote kwa hilo.`,
  payment_moved_debt: ({ amount, debt, account }) =>
    `${amount} zilizofika kwenye akaunti ${account} kimakosa zimeondolewa. Unadaiwa ${debt}: malipo yako yajayo yatalipa deni hilo kwanza. Taa yako inabaki kuwaka.`,
  ask_account: ({ amount }) =>
    `Tumepokea ${amount} kutoka kwako na hatujui ni ya akaunti gani. Pesa yako iko salama. Tafadhali jibu kwa namba ya akaunti yako, kama PG-10234.`,
  ask_to_call: ({ amount }) =>
    `Tumepokea ${amount} kutoka kwako na tuna swali kuhusu malipo hayo. Pesa yako iko salama. Tafadhali tupigie.`,
  refund_coming: ({ amount }) => `Tunakurudishia ${amount}. Inaweza kuchukua siku moja kufika.`,
  alert_device: ({ problem, device, place }) => `Tahadhari: ${problem}. Kifaa ${device}, ${place}.`,
  alert_group: ({ count, place }) =>
    `Tahadhari: vifaa ${count} viko kimya pamoja, ${place}. Kagua kwanza mtandao na umeme huko.`,
  alert_digest: ({ count, names }) => `Tahadhari mpya ${count}, zikiwemo ${names}. Tazama orodha ya tahadhari.`,
  days_lent: ({ tokens, days, debt, account }) =>
    `Akaunti ${account} imekopeshwa mwanga wa siku ${days}. Tokeni: ${tokens}. Unadaiwa ${debt}: malipo yajayo yatalipa deni hilo kwanza.`,
  token_again: ({ token, account }) => `Akaunti ${account}: hii ni tokeni yako ya mwisho tena. Tokeni: ${token}.`,
  reminder_low: ({ days, account }) =>
    `Mwanga wa akaunti ${account} utaisha ${days === "1" ? "kesho" : `baada ya siku ${days}`}. Lipa mapema uendelee kuwaka. Asante.`,
  reminder_locked: ({ account }) =>
    `Mwanga wa akaunti ${account} umeisha. Lipa siku yoyote na utarudi mara moja. Ukihitaji msaada, tupigie.`,
  reminder_locked_long: ({ days, account }) =>
    `Akaunti ${account} haina mwanga kwa siku ${days}. Malipo yataurudisha mara moja. Kama kuna tatizo, tafadhali tupigie.`,
  reminder_paid_off: ({ account }) =>
    `Hongera! Akaunti ${account} imelipwa yote na kifaa sasa ni chako. Asante kwa kuwa nasi.`,
  ticket_opened: ({ ticket }) => `Asante kwa taarifa yako. Namba yake ni ${ticket}. Tutaishughulikia na kukuandikia.`,
  ticket_in_work: ({ ticket }) => `Tunashughulikia taarifa yako ${ticket}. Huenda tukakupigia simu.`,
  ticket_done: ({ ticket }) =>
    `Taarifa yako ${ticket} imeshughulikiwa. Tatizo likirudi, tafadhali tuambie tena. Asante.`,
};
