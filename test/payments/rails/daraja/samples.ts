/** The documented bodies of M-Pesa, by the numbers they have in our collection. */

/** 11 */
export const STK_SUCCESS = {
  Body: {
    stkCallback: {
      MerchantRequestID: "29115-34620561-1",
      CheckoutRequestID: "ws_CO_191220191020363925",
      ResultCode: 0,
      ResultDesc: "The service request is processed successfully.",
      CallbackMetadata: {
        Item: [
          { Name: "Amount", Value: 1 },
          { Name: "MpesaReceiptNumber", Value: "NLJ7RT61SV" },
          { Name: "TransactionDate", Value: 20191219102115 },
          { Name: "PhoneNumber", Value: 254708374149 },
        ],
      },
    },
  },
};

/** 12 */
export const STK_WITHOUT_BALANCE = {
  Body: {
    stkCallback: {
      MerchantRequestID: "677-6442255-1",
      CheckoutRequestID: "ws_CO_110520202014057155",
      ResultCode: 0,
      ResultDesc: "The service request is processed successfully.",
      CallbackMetadata: {
        Item: [
          { Name: "Amount", Value: 1 },
          { Name: "MpesaReceiptNumber", Value: "OEB44R5U3U" },
          { Name: "Balance" },
          { Name: "TransactionDate", Value: 20200511201419 },
          { Name: "PhoneNumber", Value: 254794721438 },
        ],
      },
    },
  },
};

/** 13 */
export const STK_CANCELLED = {
  Body: {
    stkCallback: {
      MerchantRequestID: "f1e2-4b95-a71d-b30d3cdbb7a7942864",
      CheckoutRequestID: "ws_CO_21072024125243250722943992",
      ResultCode: 1032,
      ResultDesc: "Request cancelled by user",
    },
  },
};

/** 14 */
export const STK_TIMEOUT = {
  Body: {
    stkCallback: {
      MerchantRequestID: "f1e2-4b95-a71d-b30d3cdbb7a7942865",
      CheckoutRequestID: "ws_CO_21072024125243250722943993",
      ResultCode: 1037,
      ResultDesc: "DS timeout user cannot be reached",
    },
  },
};

/** 15 */
export const STK_NONNUMERIC = {
  Body: {
    stkCallback: {
      MerchantRequestID: "29115-34620561-1",
      CheckoutRequestID: "ws_CO_191220191020363925",
      ResultCode: "SFC_IC0003",
      ResultDesc: "The operator does not exist.",
    },
  },
};

/** 20 */
export const REVERSAL_RESULT = {
  Result: {
    ResultType: 0,
    ResultCode: 0,
    ResultDesc: "The service request is processed successfully.",
    OriginatorConversationID: "dad6-4c34-8787-c8cb963a496d1268232",
    ConversationID: "AG_20211114_201018edbbf9f1582eaa",
    TransactionID: "SKE52PAWR9",
    ResultParameters: {
      ResultParameter: [
        { Key: "DebitAccountBalance", Value: "Utility Account|KES|7722179.62|7722179.62|0.00|0.00" },
        { Key: "Amount", Value: 1 },
        { Key: "TransCompletedTime", Value: 20211114132711 },
        { Key: "OriginalTransactionID", Value: "SKC82PACB8" },
        { Key: "Charge", Value: 0 },
        { Key: "CreditPartyPublicName", Value: "254705912645 - NICHOLAS JOHN SONGOK" },
        { Key: "DebitPartyPublicName", Value: "600992 - Safaricom Daraja 992" },
      ],
    },
    ReferenceData: {
      ReferenceItem: {
        Key: "QueueTimeoutURL",
        Value: "https://internalsandbox.safaricom.co.ke/mpesa/reversalresults/v1/submit",
      },
    },
  },
};

/** 21 */
export const REVERSAL_FAILED = {
  Result: {
    ResultType: 0,
    ResultCode: "R000002",
    ResultDesc: "The OriginalTransactionID is invalid.",
    OriginatorConversationID: "3124-481d-b706-10bdd6fbc8e21792398",
    ConversationID: "AG_20211114_2010573069aefb6b625a",
    TransactionID: "SKE0000000",
    ReferenceData: {
      ReferenceItem: {
        Key: "QueueTimeoutURL",
        Value: "https://internalsandbox.safaricom.co.ke/mpesa/reversalresults/v1/submit",
      },
    },
  },
};

/** 22 */
export const B2C_RESULT = {
  Result: {
    ResultType: 0,
    ResultCode: 0,
    ResultDesc: "The service request is processed successfully.",
    OriginatorConversationID: "53e3-4aa8-9fe0-8fb5e4092cdd3533373",
    ConversationID: "AG_20240706_2010364430d9bbdaf872",
    TransactionID: "SG632NMUAB",
    ResultParameters: {
      ResultParameter: [
        { Key: "TransactionAmount", Value: 10 },
        { Key: "TransactionReceipt", Value: "SG632NMUAB" },
        { Key: "ReceiverPartyPublicName", Value: "254705912645 - NICHOLAS JOHN SONGOK" },
        { Key: "TransactionCompletedDateTime", Value: "06.07.2024 22:48:52" },
        { Key: "B2CUtilityAccountAvailableFunds", Value: 8959269.6 },
        { Key: "B2CWorkingAccountAvailableFunds", Value: 1199371 },
        { Key: "B2CRecipientIsRegisteredCustomer", Value: "Y" },
        { Key: "B2CChargesPaidAccountAvailableFunds", Value: -1980 },
      ],
    },
    ReferenceData: {
      ReferenceItem: {
        Key: "QueueTimeoutURL",
        Value: "https://internalsandbox.safaricom.co.ke/mpesa/b2cresults/v1/submit",
      },
    },
  },
};

/** 23 */
export const STATUS_RESULT = {
  Result: {
    ConversationID: "AG_20180223_0000493344ae97d86f75",
    OriginatorConversationID: "3213-416199-2",
    ReferenceData: { ReferenceItem: { Key: "Occasion" } },
    ResultCode: 0,
    ResultDesc: "The service request is processed successfully.",
    ResultParameters: {
      ResultParameter: [
        { Key: "DebitPartyName", Value: "600310 - Safaricom333" },
        { Key: "DebitPartyName", Value: "254708374149 - John Doe" },
        { Key: "OriginatorConversationID", Value: "3211-416020-3" },
        { Key: "InitiatedTime", Value: "20180223054112" },
        { Key: "DebitAccountType", Value: "Utility Account" },
        { Key: "DebitPartyCharges", Value: "Fee For B2C Payment|KES|22.40" },
        { Key: "TransactionReason" },
        { Key: "ReasonType", Value: "Business Payment to Customer via API" },
        { Key: "TransactionStatus", Value: "Completed" },
        { Key: "FinalisedTime", Value: "20180223054112" },
        { Key: "Amount", Value: "300" },
        { Key: "ConversationID", Value: "AG_20180223_000041b09c22e613d6c9" },
        { Key: "ReceiptNo", Value: "MBN31H462N" },
      ],
    },
    ResultType: 0,
    TransactionID: "MBN0000000",
  },
};

/** 10: the body of a prompt, and its answer. */
export const STK_REQUEST = {
  BusinessShortCode: 174379,
  Password: "MTc0Mzc5...",
  Timestamp: "20210628092408",
  TransactionType: "CustomerPayBillOnline",
  Amount: "1",
  PartyA: "254722000000",
  PartyB: "174379",
  PhoneNumber: "254722111111",
  CallBackURL: "https://mydomain.com/path",
  AccountReference: "accountref",
  TransactionDesc: "txndesc",
};
export const STK_ACCEPTED = {
  MerchantRequestID: "2654-4b64-97ff-b827b542881d3130",
  CheckoutRequestID: "ws_CO_1007202409152617172396192",
  ResponseCode: "0",
  ResponseDescription: "Success. Request accepted for processing",
  CustomerMessage: "Success. Request accepted for processing",
};

/** 16 */
export const STK_QUERY_PENDING = {
  requestId: "1c5b-4ba8-815c-ac45c57a3db01495926",
  errorCode: "500.001.1001",
  errorMessage: "The transaction is being processed",
};

/** 24 */
export const PULL_PAGE = {
  ResponseRefID: "26178-42530161-2",
  ResponseCode: "1000",
  ResponseMessage: "Success",
  Response: [
    [
      {
        transactionId: "LHG31AA5TX",
        trxDate: "2020-08-05T10:13:00Z",
        msisdn: 722000000,
        sender: "UAT2",
        transactiontype: "c2b-pay-bill-debit",
        billreference: "PG-10234",
        amount: "50.0",
        organizationname: "Daraja Pull API Test",
      },
    ],
  ],
};

/** 25 */
export const STATEMENT = `Account Holder:,ACME SOLAR LTD,,,,,,,,,,,
Short Code:,600966,,,,,,,,,,,
Account:,Utility Account,,,,,,,,,,,
Time Period:,From 01-11-2026 00:00:00 To 02-11-2026 00:00:00,,,,,,,,,,,
Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.
RKL51ZDR4F,01-11-2026 12:13:25,01-11-2026 12:13:25,Pay Bill from 2547******126 - NICHOLAS Acc. PG-10234,Completed,50.00,,6549247.00,TRUE,Pay Utility,2547******126 - NICHOLAS,,PG-10234
RKL51ZDR4K,01-11-2026 12:20:02,01-11-2026 12:20:02,Pay merchant Charge,Completed,,-0.55,6549246.45,TRUE,Merchant Charge,600966 - ACME SOLAR LTD,RKL51ZDR4F,
RKM00REV01,01-11-2026 15:01:11,01-11-2026 15:01:11,Reversal of RKL51ZDR4F,Completed,,-50.00,6549196.45,TRUE,Pay Utility Reversal,2547******126 - NICHOLAS,RKL51ZDR4F,PG-10234
`;
