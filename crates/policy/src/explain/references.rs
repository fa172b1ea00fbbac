//! Law and provider rules behind the rules.

use crate::rules::RuleId;

const DECREE_292_ART_3_4: &str = "State Council Decree 292, Art. 3 and 4 (互联网信息服务管理办法)";
const DECREE_292_ART_4: &str = "State Council Decree 292, Art. 4 (互联网信息服务管理办法)";
const DECREE_292_ART_5: &str = "State Council Decree 292, Art. 5 (互联网信息服务管理办法)";
const DECREE_292_ART_7: &str = "State Council Decree 292, Art. 7 (互联网信息服务管理办法)";
const DECREE_292_ART_11: &str = "State Council Decree 292, Art. 11 (互联网信息服务管理办法)";
const DECREE_292_ART_12: &str = "State Council Decree 292, Art. 12 (互联网信息服务管理办法)";
const ORDER_33_ART_3: &str = "MII Order 33 of 2005, Art. 3 (非经营性互联网信息服务备案管理办法)";
const ORDER_33_ART_5: &str = "MII Order 33 of 2005, Art. 5 (非经营性互联网信息服务备案管理办法)";
const ORDER_33_ART_13: &str = "MII Order 33 of 2005, Art. 13 (非经营性互联网信息服务备案管理办法)";
const ORDER_33_ART_18: &str = "MII Order 33 of 2005, Art. 18 (非经营性互联网信息服务备案管理办法)";
const NOTICE_264: &str = "MIIT notice 264 of 2017 (工信部信管〔2017〕264号)";
const NOTICE_105: &str = "MIIT notice 105 of 2023 on the filing of apps (工信部信管〔2023〕105号)";
const FRAUD_LAW_ART_21: &str = "Anti-Telecom and Online Fraud Law, Art. 21 (反电信网络诈骗法)";
const FRAUD_LAW_ART_23: &str = "Anti-Telecom and Online Fraud Law, Art. 23 (反电信网络诈骗法)";
const TELECOM_ART_13: &str = "Telecommunications Regulations, Art. 13 (电信条例)";
const LICENCE_MEASURES: &str =
    "Measures on telecom business licences, 2017 (电信业务经营许可管理办法)";
const CATALOGUE: &str = "Catalogue of telecom businesses, 2015 edition (电信业务分类目录)";
const FOREIGN_INVESTMENT: &str = "Provisions on foreign-invested telecom enterprises \
                                  (外商投资电信企业管理规定)";
const E_COMMERCE_ART_15: &str = "E-Commerce Law, Art. 15 (电子商务法)";
const DOMAIN_MEASURES: &str = "Measures on internet domain names, 2017 (互联网域名管理办法)";
const PUBLIC_BODIES: &str = "Provisions on the security of public bodies' internet applications (互联网政务应用安全管理规定)";
const NETWORK_SECURITY_ART_12: &str = "Measures on the security of international networking of \
    computer networks, Art. 12 (计算机信息网络国际联网安全保护管理办法)";
const CREDIT_CODE: &str = "GB 32100-2015, unified social credit codes";
const SUFFIX_LIST: &str = "public suffix list, ICANN section";
const HOST_NAMES: &str = "RFC 1123, section 2.1, and UTS 46, form of host names";
const BLOCK_LISTS: &str = "provider rule: a block of the ministry or the provider cannot be \
                           overridden";
const NUMBER_RULE: &str = "provider rule: a claimed number is compared with the ministry's record";
const UNKNOWN_RULE: &str = "provider rule: a record that could not be looked up is not a missing \
                            one";

/// Law and provider rules behind a rule: in English, with the Chinese title of a law in brackets.
#[must_use]
pub const fn rule_references(rule: RuleId) -> &'static [&'static str] {
    match rule {
        RuleId::R01 => &[HOST_NAMES, SUFFIX_LIST],
        RuleId::R45 => &[ORDER_33_ART_5],
        RuleId::R02 => &[
            DECREE_292_ART_4,
            "provider rule: the service area decides whether a filing is needed; Hong Kong, Macao \
             and Taiwan are outside the mainland",
        ],
        RuleId::R47 => &[FRAUD_LAW_ART_21],
        RuleId::R48 => {
            &["provider rule: the customer proves control of the domain by a DNS record or a file"]
        }
        RuleId::R04 | RuleId::R05 => &[BLOCK_LISTS],
        RuleId::R07 | RuleId::R54 | RuleId::R55 => &[DECREE_292_ART_4, ORDER_33_ART_5],
        RuleId::R08 => &[UNKNOWN_RULE],
        RuleId::R09 => &[
            DECREE_292_ART_4,
            "CDN provider rule: any filing in force will do, through whichever access provider",
        ],
        RuleId::R13 => &[DECREE_292_ART_4, ORDER_33_ART_18],
        RuleId::R14 => &[
            DECREE_292_ART_11,
            "provider rule: service continues while a change is under review",
        ],
        RuleId::R06 => &[ORDER_33_ART_18],
        RuleId::R42 => &[
            DECREE_292_ART_4,
            "provider rule: an app filing and a website filing do not stand in for each other",
        ],
        RuleId::R60 => &[
            "provider rule: simplified and traditional spellings are separate names in the filing \
             system",
        ],
        RuleId::R41 | RuleId::R43 => &[NOTICE_105, FRAUD_LAW_ART_23],
        RuleId::R44 => &[NOTICE_105],
        RuleId::R53 => &[
            ORDER_33_ART_3,
            "provider rule: a domain stands in the filing of one subject",
        ],
        RuleId::R10 | RuleId::R11 => &[ORDER_33_ART_18],
        RuleId::R12 => &[
            ORDER_33_ART_18,
            "provider rule: days of grace from the provider's first review of an access filing",
        ],
        RuleId::R15 => &[
            "provider rule: filings without an access provider are cleared from the filing system",
        ],
        RuleId::R17 | RuleId::R16 => &[NUMBER_RULE],
        RuleId::R18 => &["CDN provider rule: origin and host header are audited for a filing"],
        RuleId::R19 => &[TELECOM_ART_13, DECREE_292_ART_11],
        RuleId::R56 => &[TELECOM_ART_13, FOREIGN_INVESTMENT],
        RuleId::R24 => &[
            DECREE_292_ART_3_4,
            "policy of the provider: the business model decides who needs a licence",
        ],
        RuleId::R23 => &[E_COMMERCE_ART_15],
        RuleId::R20 => &[DECREE_292_ART_3_4, DECREE_292_ART_7],
        RuleId::R25 | RuleId::R26 | RuleId::R28 => &[DECREE_292_ART_7, LICENCE_MEASURES],
        RuleId::R27 => &[
            LICENCE_MEASURES,
            "provider rule: the licence is that of the filing subject",
        ],
        RuleId::R21 => &[CATALOGUE, LICENCE_MEASURES],
        RuleId::R22 => &[CATALOGUE, DECREE_292_ART_3_4],
        RuleId::R32 | RuleId::R29 | RuleId::R31 | RuleId::R33 => &[NOTICE_264],
        RuleId::R30 => &[
            NOTICE_264,
            "rules of provincial communications administrations for new filings",
        ],
        RuleId::R59 => &[NOTICE_264, CREDIT_CODE],
        RuleId::R52 => &[DECREE_292_ART_11, NOTICE_264],
        RuleId::R34 => &[
            DOMAIN_MEASURES,
            "provider rule: a domain on hold or past its end cannot serve",
        ],
        RuleId::R35 | RuleId::R36 | RuleId::R37 => &[DOMAIN_MEASURES, NOTICE_264],
        RuleId::R46 => &[PUBLIC_BODIES],
        RuleId::R58 => &[ORDER_33_ART_3, CREDIT_CODE],
        RuleId::R38 => &[
            DECREE_292_ART_5,
            "rules of each sector's authority; for drugs and medical devices NMPA notice 123 of \
             2025",
        ],
        RuleId::R57 => {
            &["rule of communications administrations: natural persons do not file forums"]
        }
        RuleId::R39 => &[ORDER_33_ART_13, DECREE_292_ART_12],
        RuleId::R40 => &[NETWORK_SECURITY_ART_12],
    }
}
