# The rule table in Rego v1, for the shipped policy mainland-strict.
#
# `input` is the question with its facts, `data` is what the policy document says. Findings that
# pass are not made: only what blocks, calls for a person, lacks a fact or is owed.
package icpgate

import rego.v1

# What the answer is.

default verdict := "ALLOW"

verdict := "DENY" if {
	"DENY" in effects_found
} else := "INDETERMINATE" if {
	"INDETERMINATE" in effects_found
} else := "REVIEW" if {
	"REVIEW" in effects_found
}

effects_found := {finding.effect | some finding in findings}

reasons := {finding.reason | some finding in findings; finding.effect == verdict}

obligations := {finding.reason | some finding in findings; finding.effect == "OBLIGATION"}

answer := {"verdict": verdict, "reasons": reasons, "obligations": obligations}

# When rules run.

mainland if input.area != "OUTSIDE_MAINLAND"

pre_filing if {
	mainland
	input.purpose == "PRE_FILING"
}

default scope := "EVERYWHERE"

scope := "PRE_FILING" if {
	pre_filing
} else := input.product if {
	mainland
	input.product != "DNS_ONLY"
}

applies(rule) if data.scopes[rule][scope]

effects := data.pre_filing_effects if {
	pre_filing
} else := data.effects

found(rule, reason) := weighed(rule, reason, effects[reason])

weighed(rule, reason, effect) := {"rule": rule, "reason": reason, "effect": effect} if applies(rule)

lacks(rule, why) := weighed(rule, "FACTS_STALE", "INDETERMINATE") if {
	why == "STALE"
} else := weighed(rule, "FACTS_UNAVAILABLE", "INDETERMINATE")

# What records say.

facts := input.facts.name

name := input.host if {
	scope != "EVERYWHERE"
	input.host.kind == "name"
}

reaches(domain) if domain in name.candidates

# Why the absence of a record of a kind is not known; undefined where it is known.
unknown(set, kind) := set.missing[kind].unknown

unknown(set, kind) := "SYNC_TOO_OLD" if input.now >= set.missing[kind].until

same(a, b) if {
	a.kind == b.kind
	a.digest == b.digest
}

same(a, b) if {
	across(a, b)
	a.organisation == b.organisation
}

across(a, b) if {
	a.kind == "OrganisationCode"
	b.kind == "UnifiedSocialCreditCode"
}

across(a, b) if {
	a.kind == "UnifiedSocialCreditCode"
	b.kind == "OrganisationCode"
}

comparable(a, b) if a.kind == b.kind

comparable(a, b) if {
	across(a, b)
	a.organisation
	b.organisation
}

# Filings.

state(service, subject) := "CANCELLED" if {
	"CANCELLED" in {service.status, subject.status}
} else := "SUSPENDED" if {
	"SUSPENDED" in {service.status, subject.status}
} else := "RESTRICTED" if {
	service.access_restricted
} else := "FILED"

reaches_up(0, _) if true

reaches_up(_, kind) if kind in {"WEBSITE", "MINI_PROGRAM"}

in_force(found_state) if found_state in {"FILED", "RESTRICTED"}

default force(_) := false

force(found_state) if in_force(found_state)

listing(set, host, kind) := [entry |
	some at, candidate in host.candidates
	reaches_up(at, kind)
	some service in set.services
	service.kind == kind
	candidate in service.domains
	subject := set.subjects[service.subject]
	found_state := state(service, subject)
	entry := {
		"at": at,
		"name": candidate,
		"state": found_state,
		"service": service,
		"subject": subject,
		"rank": [force(found_state), service.approved_at, service.number],
	}
]

best(entries) := entry if {
	nearest := min([one.at | some one in entries])
	highest := max([one.rank | some one in entries; one.at == nearest])
	some entry in entries
	entry.at == nearest
	entry.rank == highest
}

coverage(set, host, kind) := resolved(set, host, kind, listing(set, host, kind))

resolved(set, host, kind, entries) := best(lasting) if {
	lasting := [entry | some entry in entries; entry.state != "CANCELLED"]
	count(lasting) > 0
} else := {"state": "IN_PROGRESS"} if {
	some application in input.facts.name.applications
	application.kind in {"FIRST_FILING", "NEW_SERVICE"}
	application.stage in {"SUBMITTED", "PROVIDER_REVIEW_PASSED", "AUTHORITY_REVIEW"}
	reaches(application.domain)
} else := best(entries) if {
	count(entries) > 0
} else := {"state": "UNKNOWN", "why": unknown_filing(set, host, kind)} if {
	unknown_filing(set, host, kind)
} else := object.union(best(others), {"state": "OTHER_KIND"}) if {
	kind == "WEBSITE"
	others := other_kinds(set, host)
	count(others) > 0
} else := {"state": "VARIANT_ONLY", "service": twin.service, "subject": twin.subject} if {
	kind == "WEBSITE"
	some twin in twins(set, host)
} else := {"state": "NOT_FOUND"}

unknown_filing(set, host, kind) := why if {
	why := unknown(set, "subject")
	some at, candidate in host.candidates
	reaches_up(at, kind)
	some service in set.services
	service.kind == kind
	candidate in service.domains
	not set.subjects[service.subject]
} else := why if {
	why := unknown(set, "service")
}

other_kinds(set, host) := [entry |
	some kind in ["APP", "MINI_PROGRAM", "QUICK_APP"]
	some entry in listing(set, host, kind)
	in_force(entry.state)
]

twins(set, host) := [{"service": service, "subject": subject} |
	some at, candidate in host.candidates
	some service in set.services
	service.kind == "WEBSITE"
	some place, fold in service.folds
	fold == host.folds[at]
	service.domains[place] != candidate
	subject := set.subjects[service.subject]
	state(service, subject) == "FILED"
]

wanted_kind := "APP" if {
	not pre_filing
	input.product == "APP_BACKEND"
} else := "WEBSITE"

filing := coverage(facts, name, wanted_kind)

mini_program := coverage(facts, name, "MINI_PROGRAM") if {
	not pre_filing
	input.product == "MINI_PROGRAM_BACKEND"
}

standing(covering) if covering.state in {"FILED", "RESTRICTED", "SUSPENDED"}

# The party: the subject of the filing, or before filing the applicant.

party := subject if {
	pre_filing
	subject := input.facts.applicant.subjects[input.applicant_number]
} else := input.applicant if {
	pre_filing
	input.applicant.nature
} else := subject if {
	not pre_filing
	subject := filing.subject
} else := subject if {
	not pre_filing
	subject := mini_program.subject
}

party_unknown := unknown(input.facts.applicant, "subject") if {
	pre_filing
	input.applicant_number
	not party
}

party_unknown := filing.why if {
	not pre_filing
	not party
	filing.state == "UNKNOWN"
}

party_set := input.facts.applicant if {
	pre_filing
} else := facts

registration := record if {
	record := facts.registrations[filing.name]
} else := record if {
	record := facts.registrations[name.registrable]
}

registration_unknown := unknown(facts, "registration") if {
	name
	not registration
}

# Form of the name.

findings contains finding if {
	input.host.kind == "invalid"
	finding := found("R01", "DOMAIN_INVALID")
}

findings contains finding if {
	input.host.kind == "address"
	not hosted_address
	finding := found("R01", "DOMAIN_INVALID")
}

findings contains finding if {
	hosted_address
	finding := found("R45", "BARE_IP")
}

hosted_address if {
	input.host.kind == "address"
	input.host.public
	input.product in {"HOSTING", "REVERSE_PROXY"}
}

# Customer.

findings contains finding if {
	input.customer.real_name == "UNVERIFIED"
	finding := found("R47", "CUSTOMER_NOT_VERIFIED")
}

findings contains finding if {
	not input.customer.real_name
	data.undeclared_real_name != "OFF"
	finding := weighed("R47", "CUSTOMER_NOT_VERIFIED", data.undeclared_real_name)
}

findings contains finding if {
	input.customer.domain_control == "NOT_PROVEN"
	finding := found("R48", "DOMAIN_CONTROL_NOT_PROVEN")
}

findings contains finding if {
	not input.customer.domain_control
	data.undeclared_domain_control != "OFF"
	finding := weighed("R48", "DOMAIN_CONTROL_NOT_PROVEN", data.undeclared_domain_control)
}

# Blocks.

stands(block) if {
	not begins_later(block)
	not ended(block)
}

begins_later(block) if block.since > input.now

ended(block) if block.until <= input.now

domain_blocked if {
	some block in facts.blocks
	reaches(block.domain)
	stands(block)
}

findings contains finding if {
	domain_blocked
	finding := found("R04", "DOMAIN_BLACKLISTED")
}

findings contains finding if {
	name
	not domain_blocked
	why := unknown(facts, "block")
	finding := lacks("R04", why)
}

subject_blocked if {
	some block in party_set.blocks
	same(block.certificate, party.certificate)
	stands(block)
}

findings contains finding if {
	subject_blocked
	finding := found("R05", "SUBJECT_BLACKLISTED")
}

findings contains finding if finding := lacks("R05", party_unknown)

findings contains finding if {
	party.certificate
	not subject_blocked
	why := unknown(party_set, "block")
	finding := lacks("R05", why)
}

# Filing.

website_states := {
	"RESTRICTED": ["R06", "FILING_ACCESS_RESTRICTED"],
	"SUSPENDED": ["R55", "FILING_SUSPENDED"],
	"IN_PROGRESS": ["R13", "FILING_IN_PROGRESS"],
	"CANCELLED": ["R54", "FILING_CANCELLED"],
	"OTHER_KIND": ["R42", "FILING_KIND_MISMATCH"],
	"VARIANT_ONLY": ["R60", "FILING_VARIANT_ONLY"],
	"NOT_FOUND": ["R07", "FILING_NOT_FOUND"],
}

own_states := {
	"RESTRICTED": ["R06", "FILING_ACCESS_RESTRICTED"],
	"SUSPENDED": ["R55", "FILING_SUSPENDED"],
	"IN_PROGRESS": ["R13", "FILING_IN_PROGRESS"],
	"CANCELLED": ["R43", "FILING_CANCELLED"],
}

findings contains finding if {
	not pre_filing
	input.product != "APP_BACKEND"
	hit := website_states[filing.state]
	finding := found(hit[0], hit[1])
}

findings contains finding if {
	not pre_filing
	input.product != "APP_BACKEND"
	filing.state == "UNKNOWN"
	finding := lacks("R08", filing.why)
}

own_kind contains ["R41", "APP_NOT_FILED", filing] if {
	not pre_filing
	input.product == "APP_BACKEND"
}

own_kind contains ["R44", "MINI_PROGRAM_NOT_FILED", mini_program]

findings contains finding if {
	some own in own_kind
	hit := own_states[own[2].state]
	finding := found(hit[0], hit[1])
}

findings contains finding if {
	some own in own_kind
	own[2].state in {"OTHER_KIND", "VARIANT_ONLY", "NOT_FOUND"}
	finding := found(own[0], own[1])
}

findings contains finding if {
	some own in own_kind
	own[2].state == "UNKNOWN"
	finding := lacks(own[0], own[2].why)
}

own_filing if party.number == filing.subject.number

own_filing if same(party.certificate, filing.subject.certificate)

below_government if {
	name.government
	filing.name != name.ascii
}

findings contains finding if {
	pre_filing
	standing(filing)
	not below_government
	not own_filing
	not party_unknown
	finding := found("R53", "FILED_BY_ANOTHER_SUBJECT")
}

findings contains finding if {
	pre_filing
	standing(filing)
	not below_government
	finding := lacks("R53", party_unknown)
}

findings contains finding if {
	pre_filing
	filing.state == "UNKNOWN"
	finding := lacks("R53", filing.why)
}

findings contains finding if {
	pre_filing
	filing.state != "UNKNOWN"
	not standing(filing)
	why := unknown(facts, "service")
	finding := lacks("R53", why)
}

# Access.

linked(provider) if {
	some access in facts.accesses
	access.status == "ACTIVE"
	access.service == filing.service.number
	access.provider == provider
	not begins_later(access)
}

in_grace if {
	some application in facts.applications
	application.kind == "NEW_ACCESS"
	application.stage in {"PROVIDER_REVIEW_PASSED", "AUTHORITY_REVIEW", "APPROVED"}
	application.provider == data.provider
	reaches(application.domain)
	application.passed_at <= input.now
	input.now < application.passed_at + data.access_grace
}

findings contains finding if {
	standing(filing)
	not linked(data.provider)
	in_grace
	finding := found("R12", "ACCESS_LINK_GRACE")
}

access_unknown := why if {
	why := unknown(facts, "access")
} else := why if {
	why := unknown(facts, "application")
}

findings contains finding if {
	standing(filing)
	not linked(data.provider)
	not in_grace
	finding := lacks("R11", access_unknown)
}

findings contains finding if {
	standing(filing)
	not linked(data.provider)
	not in_grace
	not access_unknown
	finding := found("R11", "ACCESS_NOT_LINKED")
}

any_link if {
	some access in facts.accesses
	linked(access.provider)
}

findings contains finding if {
	standing(filing)
	not any_link
	not unknown(facts, "access")
	finding := found("R15", "EMPTY_SHELL_RISK")
}

# The claimed number.

claimed := input.claimed if {
	not pre_filing
	applies("R17")
}

claimed_invalid if claimed.kind in {"invalid", "public_security"}

claimed_invalid if claimed.year_begins > input.now

findings contains finding if {
	claimed_invalid
	finding := found("R17", "FILING_NUMBER_INVALID")
}

on_record(covering) if standing(covering)

on_record(covering) if covering.state == "CANCELLED"

recorded := mini_program if {
	on_record(mini_program)
} else := filing if {
	on_record(filing)
}

right_number if claimed.service == recorded.service.number

right_number if {
	mini_program
	on_record(filing)
	claimed.service == filing.service.number
}

holds_claimed if {
	some licence in facts.licences
	licence.number == claimed.licence
	same(licence.certificate, recorded.subject.certificate)
}

wrong_number if {
	claimed
	not claimed_invalid
	recorded
	not right_number
}

findings contains finding if {
	wrong_number
	finding := found("R16", number_reason)
}

findings contains finding if {
	wrong_number
	finding := lacks("R16", number_unknown)
}

number_unknown := unknown(facts, "licence") if {
	claimed.licence
	claimed.subject != recorded.service.subject
	not holds_claimed
}

number_reason := "FILING_NUMBER_MISMATCH" if {
	claimed.subject == recorded.service.subject
	claimed.service
	claimed.letter != recorded.service.letter
} else := "FILING_NUMBER_FORM" if {
	claimed.subject == recorded.service.subject
} else := "FILING_NUMBER_FORM" if {
	holds_claimed
} else := "FILING_NUMBER_MISMATCH" if {
	not number_unknown
}

# Origin and host header.

parts contains ["ORIGIN_NOT_FILED", input.origin, input.facts.origin] if origin_counts

parts contains ["HOST_HEADER_NOT_FILED", input.host_header, input.facts.host_header] if input.host_header

origin_counts if input.origin_in_mainland

origin_counts if {
	not input.origin_in_mainland == false
	data.undeclared_origin_in_mainland
}

findings contains finding if {
	some part in parts
	part[1].kind == "invalid"
	finding := found("R18", "DOMAIN_INVALID")
}

parts_covered contains [part[0], coverage(part[2], part[1], "WEBSITE")] if {
	applies("R18")
	some part in parts
	part[1].own
}

findings contains finding if {
	some part in parts_covered
	not part[1].state in {"FILED", "UNKNOWN"}
	finding := found("R18", part[0])
}

findings contains finding if {
	some part in parts_covered
	part[1].state == "UNKNOWN"
	finding := lacks("R18", part[1].why)
}

# Payment.

payment if {
	input.payment
	applies("R19")
}

findings contains finding if {
	payment
	finding := lacks("R20", party_unknown)
}

findings contains finding if {
	payment
	party.nature == "INDIVIDUAL"
	finding := found("R19", "COMMERCIAL_BY_INDIVIDUAL")
}

findings contains finding if {
	payment
	party.nature != "INDIVIDUAL"
	party.entity == "REPRESENTATIVE_OFFICE"
	finding := found("R56", "COMMERCIAL_BY_REPRESENTATIVE_OFFICE")
}

needs_licence if {
	payment
	party.nature != "INDIVIDUAL"
	party.entity != "REPRESENTATIVE_OFFICE"
}

issued(licence) if not licence.begins_at > input.now

own_licences := [licence |
	needs_licence
	some licence in facts.licences
	owned(licence)
	issued(licence)
]

owned(licence) if licence.as_subject == party.number

owned(licence) if same(licence.certificate, party.certificate)

valid(licence) if {
	licence.status == "ACTIVE"
	not licence.ends_at <= input.now
}

last(licences) := licence if {
	latest := max([[one.ends_rank, one.number] | some one in licences])
	some licence in licences
	[licence.ends_rank, licence.number] == latest
}

satisfying := last([licence | some licence in own_licences; valid(licence)])

findings contains finding if {
	satisfying.ends_at - data.licence_expiring <= input.now
	finding := found("R26", "COMMERCIAL_LICENCE_EXPIRING")
}

shows_licence if {
	party.licence_form
	not by_number
}

by_number if {
	some licence in own_licences
	licence.as_subject == party.number
}

licence_wanted if {
	needs_licence
	not satisfying
	not shows_licence
}

licence_ends := {
	"REVOKED": "COMMERCIAL_LICENCE_REVOKED",
	"SUSPENDED": "COMMERCIAL_LICENCE_SUSPENDED",
	"ACTIVE": "COMMERCIAL_LICENCE_EXPIRED",
}

findings contains finding if {
	licence_wanted
	finding := found("R25", licence_ends[last(own_licences).status])
}

findings contains finding if {
	licence_wanted
	count(own_licences) == 0
	why := unknown(facts, "licence")
	finding := lacks("R20", why)
}

parent_share := max([parent.share |
	some parent in party.parents
	some licence in facts.licences
	same(parent.certificate, licence.certificate)
	issued(licence)
	valid(licence)
])

parent_effect := "REVIEW" if {
	parent_share >= data.parent_share
} else := "DENY"

findings contains finding if {
	licence_wanted
	count(own_licences) == 0
	not unknown(facts, "licence")
	parent_share
	finding := weighed("R27", "COMMERCIAL_LICENCE_HOLDER_MISMATCH", parent_effect)
}

findings contains finding if {
	licence_wanted
	count(own_licences) == 0
	not unknown(facts, "licence")
	not parent_share
	finding := found("R20", "COMMERCIAL_LICENCE_MISSING")
}

# Registrant.

compares_registrant if {
	name
	applies("R32")
}

findings contains finding if {
	compares_registrant
	finding := lacks("R32", party_unknown)
}

findings contains finding if {
	compares_registrant
	party
	finding := lacks("R32", registration_unknown)
}

findings contains finding if {
	compares_registrant
	party
	not registration
	not registration_unknown
	finding := found("R32", "REGISTRANT_UNKNOWN")
}

hidden if registration.redacted

hidden if {
	not registration.registrant_name
	not registration.registrant_certificate
}

findings contains finding if {
	compares_registrant
	party
	registration
	hidden
	finding := found("R32", "REGISTRANT_UNKNOWN")
}

registrants contains object.union(party, {"role": "ITSELF", "organisation": party.nature != "INDIVIDUAL"}) if {
	judges_registrant
}

registrants contains person if {
	judges_registrant
	party.nature != "INDIVIDUAL"
	some person in party.people
	person.role in data.accepted_roles
}

registrants contains {"role": "SHAREHOLDER", "certificate": parent.certificate, "organisation": true} if {
	judges_registrant
	party.nature != "INDIVIDUAL"
	party.entity != "BRANCH_OFFICE"
	"SHAREHOLDER" in data.accepted_roles
	some parent in party.parents
}

judges_registrant if {
	compares_registrant
	party
	registration
	not hidden
}

likeness(one) := "CERTIFICATE" if {
	one.certificate.kind == registration.registrant_certificate.kind
	one.certificate.digest == registration.registrant_certificate.digest
	not one.certificate.old_form
	not registration.registrant_certificate.old_form
} else := "OLD_CERTIFICATE" if {
	same(one.certificate, registration.registrant_certificate)
} else := "VARIANT" if {
	comparable(one.certificate, registration.registrant_certificate)
	one.certificate.kind == "Passport"
	one.name.exact == registration.registrant_name.exact
} else := "DIFFERENT" if {
	comparable(one.certificate, registration.registrant_certificate)
} else := "NAME" if {
	one.organisation
	one.name.exact == registration.registrant_name.exact
} else := "VARIANT" if {
	one.name.exact == registration.registrant_name.exact
} else := "VARIANT" if {
	one.name.folded == registration.registrant_name.folded
} else := "DIFFERENT"

compared_registrants := [{"role": one.role, "likeness": likeness(one)} | some one in registrants]

matches := [one |
	some one in compared_registrants
	one.likeness in {"CERTIFICATE", "OLD_CERTIFICATE", "NAME"}
]

registrant_rule := "R29" if {
	party.nature == "INDIVIDUAL"
} else := "R31"

certificate_compared if {
	some one in registrants
	comparable(one.certificate, registration.registrant_certificate)
}

registrant_reason := ["VARIANT", registrant_rule, "REGISTRANT_VARIANT"] if {
	some one in compared_registrants
	one.likeness == "VARIANT"
} else := ["UNKNOWN", "R32", "REGISTRANT_UNKNOWN"] if {
	not certificate_compared
	not registration.registrant_name
} else := ["MISMATCH", registrant_rule, "REGISTRANT_MISMATCH"]

findings contains finding if {
	judges_registrant
	count(matches) == 0
	finding := found(registrant_reason[1], registrant_reason[2])
}

role_accepted if {
	some one in matches
	one.role == "ITSELF"
}

role_accepted if not data.province_roles[party.province]

role_accepted if {
	some one in matches
	one.role in data.province_roles[party.province]
}

role_reason := "REGISTRANT_MISMATCH" if {
	pre_filing
	effects.REGISTRANT_ROLE_NARROWED == "DENY"
} else := "REGISTRANT_ROLE_NARROWED"

findings contains finding if {
	count(matches) > 0
	party.nature != "INDIVIDUAL"
	not role_accepted
	finding := weighed("R30", role_reason, effects.REGISTRANT_ROLE_NARROWED)
}

findings contains finding if {
	count(matches) > 0
	every one in matches { one.likeness == "OLD_CERTIFICATE" }
	finding := found("R59", "CERTIFICATE_FORM_OLD")
}

findings contains finding if {
	some one in matches
	one.role == "ITSELF"
	one.likeness in {"CERTIFICATE", "OLD_CERTIFICATE"}
	party.name.exact != registration.registrant_name.exact
	finding := found("R52", "SUBJECT_NAME_CHANGED")
}

# Registration.

findings contains finding if {
	some rule in ["R33", "R34", "R36"]
	finding := lacks(rule, registration_unknown)
}

findings contains finding if {
	registration.real_name == "UNVERIFIED"
	finding := found("R33", "REAL_NAME_UNVERIFIED")
}

syncing if registration.in_library == false

syncing if {
	registration.in_library == null
	registration.library_due > input.now
}

findings contains finding if {
	registration.real_name == "VERIFIED"
	syncing
	finding := found("R33", "REAL_NAME_SYNCING")
}

findings contains finding if {
	some status in registration.statuses
	status in data.blocking_statuses
	finding := found("R34", "DOMAIN_NOT_ACTIVE")
}

findings contains finding if {
	registration.expires_at <= input.now
	finding := found("R34", "DOMAIN_EXPIRED")
}

findings contains finding if {
	registration.registrar_approved == false
	some rule in ["R36", "R37"]
	finding := found(rule, "REGISTRAR_NOT_APPROVED")
}

# Suffix.

findings contains finding if {
	name
	not data.approved_tlds[name.tld]
	some rule in ["R35", "R37"]
	finding := found(rule, "TLD_NOT_APPROVED")
}

findings contains finding if {
	name
	finding := lacks("R46", party_unknown)
}

fits_nature if {
	some suffix in data.nature_suffixes[party.nature]
	under(name.ascii, suffix)
}

under(host, suffix) if host == suffix

under(host, suffix) if endswith(host, concat("", [".", suffix]))

findings contains finding if {
	name
	data.nature_suffixes[party.nature]
	not fits_nature
	finding := found("R46", "SUFFIX_NOT_FOR_NATURE")
}

findings contains finding if {
	name
	party.nature != "INDIVIDUAL"
	party.certificate.province != party.province
	finding := found("R58", "PROVINCE_MISMATCH")
}

# Sectors.

sector_effect(sector) := data.sectors[sector] if {
	data.sectors[sector] in {"DENY", "REVIEW"}
} else := "DENY" if {
	data.sectors[sector] == "DENY_WITH_PAYMENT"
	input.payment
} else := "DENY" if {
	not data.sectors[sector]
}

findings contains finding if {
	name
	"FORUM" in input.sectors
	party.nature == "INDIVIDUAL"
	finding := found("R57", "FORUM_BY_INDIVIDUAL")
}

findings contains finding if {
	name
	"FORUM" in input.sectors
	finding := lacks("R57", party_unknown)
}

own_approvals(sector) := [approval |
	some set in approval_sets
	some approval in set.approvals
	approval.sector == sector
	own_approval(approval)
]

approval_sets contains facts

approval_sets contains input.facts.applicant if {
	pre_filing
	input.facts.applicant
}

own_approval(approval) if reaches(approval.domain)

own_approval(approval) if same(approval.certificate, party.certificate)

approved(approvals) if {
	some approval in approvals
	not approval.ends_at <= input.now
}

approval_unknown := why if {
	why := unknown(facts, "approval")
} else := why if {
	why := party_unknown
}

findings contains finding if {
	name
	some sector in input.sectors
	effect := sector_effect(sector)
	approvals := own_approvals(sector)
	count(approvals) > 0
	not approved(approvals)
	finding := weighed("R38", "SECTOR_APPROVAL_EXPIRED", effect)
}

findings contains finding if {
	name
	some sector in input.sectors
	sector_effect(sector)
	count(own_approvals(sector)) == 0
	finding := lacks("R38", approval_unknown)
}

findings contains finding if {
	name
	some sector in input.sectors
	effect := sector_effect(sector)
	count(own_approvals(sector)) == 0
	not approval_unknown
	finding := weighed("R38", "SECTOR_APPROVAL_MISSING", effect)
}

# What a running site shows and owes.

observation := [facts.observations[candidate] |
	some candidate in name.candidates
	facts.observations[candidate]
][0]

findings contains finding if {
	name
	not observation
	why := unknown(facts, "display_observation")
	finding := lacks("R39", why)
}

findings contains finding if {
	observation.takedown
	finding := found("R39", "DISPLAY_TAKEDOWN")
}

shown if {
	not observation.takedown
	standing(filing)
}

findings contains finding if {
	shown
	count(observation.numbers) == 0
	finding := found("R39", "DISPLAY_MISSING")
}

right_shown if {
	some number in observation.numbers
	number.service == filing.service.number
}

own_shown if {
	some number in observation.numbers
	number.subject == filing.subject.number
}

right_shown if {
	own_shown
	filing.subject.licence_form
}

right_shown if {
	own_shown
	filing.subject.province in data.subject_form_provinces
}

right_shown if {
	some number in observation.numbers
	some licence in facts.licences
	licence.as_subject == number.subject
	same(licence.certificate, filing.subject.certificate)
}

display_reason := "DISPLAY_SUBJECT_FORM" if {
	own_shown
} else := "DISPLAY_WRONG_NUMBER"

findings contains finding if {
	shown
	count(observation.numbers) > 0
	not right_shown
	finding := found("R39", display_reason)
}

findings contains finding if {
	shown
	observation.linked == false
	count(observation.numbers) > 0
	finding := found("R39", "DISPLAY_NOT_LINKED")
}

findings contains finding if {
	name
	input.live_since <= input.now
	not filed_with_public_security
	not unknown(facts, "public_security_filing")
	finding := found("R40", "PUBLIC_SECURITY_FILING_DUE")
}

filed_with_public_security if {
	some domain in facts.public_security_filings
	reaches(domain)
}
